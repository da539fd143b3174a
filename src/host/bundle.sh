#!/bin/sh
# Compiles a bundle's modules to bytecode and packs that: bundle.sh BUNDLE FOLDER 'MODULES OF THE HOST' gives FOLDER/bundle.c. BUNDLE
# holds one module after the other, each behind a line "//# module=NAME", the program first. CC and OBJCOPY come from the environment.
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
  qjsc -c -m -N bytecode $known -o module.c "$name"
  # qjsc writes C alone: its array is taken out of the object again.
  $CC -fdata-sections -fno-lto -c module.c -o module.o
  $OBJCOPY -O binary --only-section=.rodata.bytecode module.o module.bin
  zstd -q -f -19 module.bin -o module.zst
  {
    echo "static const uint8_t module_$number[] = {"
    od -An -v -tx1 module.zst | sed 's/ \(..\)/0x\1,/g'
    echo '};'
  } >> bundle.c
  table="$table  {\"$name\", module_$number, sizeof module_$number, $(wc -c < module.bin)},\n"
  number=$((number + 1))
done
printf 'const BundleModule bundle[] = {\n%b  {0}};\n' "$table" >> bundle.c
