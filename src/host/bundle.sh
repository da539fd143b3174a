#!/bin/sh
# Compiles a bundle's modules to bytecode, as C: bundle.sh BUNDLE FOLDER 'MODULES OF THE HOST' gives FOLDER/bundle.c. BUNDLE holds one
# module after the other, each behind a line "//# module=NAME", the program first.
set -eu
case $1 in /*) bundle=$1 ;; *) bundle=$PWD/$1 ;; esac
cd "$2"
names=$(sed -n 's|^//# module=||p' "$bundle")
known=
for module in $3 $names; do known="$known -M $module"; done

table=
number=0
echo '#include "bundle.h"' > bundle.c
for name in $names; do
  # A module keeps the bundle's line numbers, which are those of the source map: the lines of the others become empty.
  sed "\\|^//# module=|{h;s/.*//;b};x;\\|^//# module=$name\$|{x;b};x;s/.*//" "$bundle" > "$name"
  # The name given to qjsc is what stack traces show and imports ask for, so the file has no path here. Positions are kept (no -s).
  qjsc -c -m -N "bundle_$number" $known -o module.c "$name"
  cat module.c >> bundle.c
  table="$table  {\"$name\", bundle_$number, sizeof bundle_$number},\n"
  number=$((number + 1))
done
printf 'const BundleModule bundle[] = {\n%b  {0}};\n' "$table" >> bundle.c
