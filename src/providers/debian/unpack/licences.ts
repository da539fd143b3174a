/** Phrases of licence texts, for copyright files that name their licences only by quoting them. */
const phrases: [RegExp, string][] = [
  [/Permission is hereby granted, free of charge, to any person obtaining/i, 'Expat'],
  [/Permission to use, copy, modify,? and(?:\/or)? distribute this software/i, 'ISC'],
  [/Redistribution and use in source and binary forms[\s\S]*Neither the name/i, 'BSD-3-clause'],
  [/Redistribution and use in source and binary forms/i, 'BSD-2-clause'],
  [/This software is provided 'as-is', without any express or implied/i, 'Zlib'],
  [/public domain/i, 'public-domain'],
];

/**
 * Names of the licences in a package's copyright file, as written there, sorted. Machine-readable files (DEP-5) have
 * License fields; of others the referred-to common licences and well-known phrases are taken.
 */
export function readLicences(copyright: string): string[] {
  const found = new Set<string>();
  if (/^Format:/im.test(copyright)) {
    for (const match of copyright.matchAll(/^License:[ \t]*(\S.*)$/gim)) {
      for (const name of (match[1] ?? '').split(/,?\s+(?:and|or)\s+|,\s*/i)) {
        const clean = name.replaceAll(/[()]/g, '').trim();
        if (clean !== '') found.add(clean);
      }
    }
  }
  if (found.size === 0) {
    for (const match of copyright.matchAll(/\/usr\/share\/common-licenses\/([A-Za-z0-9.+-]*[A-Za-z0-9])/g)) found.add(match[1] ?? '');
    for (const [phrase, name] of phrases) {
      if (name === 'BSD-2-clause' && found.has('BSD-3-clause')) continue;
      if (phrase.test(copyright)) found.add(name);
    }
  }
  return [...found].toSorted();
}
