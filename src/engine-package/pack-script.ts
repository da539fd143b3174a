/** Where the installer puts the release in use: a link, so that another release takes its place in one step. */
const releaseFolder = '/opt/minke/current';

/**
 * Packs /in/minke, the programs of /in/programs with every library that they want, the licences of /in/debs, and /in/files into /out/package.tar.gz.
 *
 * Debian's programs bring their own C library, since that of another system may be older or not there at all. They name their
 * loader by its path and find libraries by DT_RPATH, which unlike DT_RUNPATH holds for libraries of libraries too; a wrapper that
 * calls the loader would not do, because crun starts itself again by /proc/self/exe.
 */
export const packScript = `
package=/tmp/$1
mkdir -p "$package/bin" "$package/libexec" "$package/lib" "$package/share/doc"
cp -R /in/files/. "$package"
cp /in/minke "$package/bin/minke"
for program in usr/bin/conmon usr/bin/crun usr/sbin/nft; do cp "/in/programs/$program" "$package/libexec"; done

# The loader is a link in most architectures: what it leads to is taken, under the name that programs know.
take() {
  for folder in /in/programs/usr/lib/*-linux-* /in/programs/usr/lib /in/programs/usr/lib64; do
    [ -e "$folder/$1" ] || continue
    cp -L "$folder/$1" "$package/lib/$1"
    return 0
  done
  echo "no library $1 among the programs' packages" >&2
  return 1
}
interpreter=$(patchelf --print-interpreter "$package/libexec/crun")
loader=\${interpreter##*/}
take "$loader"
added=yes
while [ "$added" = yes ]; do
  added=no
  for file in "$package"/libexec/* "$package"/lib/*; do
    for library in $(patchelf --print-needed "$file"); do
      [ -e "$package/lib/$library" ] && continue
      take "$library"
      added=yes
    done
  done
done
for program in "$package"/libexec/*; do
  patchelf --set-interpreter "${releaseFolder}/lib/$loader" --force-rpath --set-rpath "${releaseFolder}/lib" "$program"
done
for deb in /in/debs/*.deb; do dpkg-deb --extract "$deb" /tmp/unpacked; done
for copyright in /tmp/unpacked/usr/share/doc/*/copyright; do
  folder=\${copyright%/copyright}
  mkdir "$package/share/doc/\${folder##*/}"
  cp "$copyright" "$package/share/doc/\${folder##*/}/copyright"
done
chmod -R u=rwX,go=rX "$package"
chmod 755 "$package/install" "$package"/bin/* "$package"/libexec/* "$package"/lib/*
tar --create --file=/tmp/package.tar --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --directory=/tmp "$1"
gzip --best --no-name < /tmp/package.tar > /out/package.tar.gz
`;
