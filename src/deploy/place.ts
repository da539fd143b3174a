import { FILE_NAMES } from '../engine/compose/places.ts';
import { shellLine } from '../exec/index.ts';

/**
 * Reads an archive and puts what is in it into /mnt/data/apps, the compose file last, so that nothing is taken up that is not whole. What is the
 * same stays the same file, because containers have it mounted. Says `before FILE` where a file on the boot partition counts instead,
 * `kept FILE` for a compose file of somebody else's, `changed PATH` for what is not what it was.
 */
const program = String.raw`
set -eu
apps=/mnt/data/apps list=.osbuild-deploy.list
for name in ${FILE_NAMES.join(' ')}; do
  [ ! -e "/mnt/boot/apps/$name" ] || { echo "before /mnt/boot/apps/$name"; exit 3; }
done
look() { if [ -L "$1" ]; then readlink "$1"; else stat -c %a "$1"; sha256sum <"$1"; fi; }
mkdir -p "$apps"
rm -rf "$apps"/.osbuild-deploy.new
mkdir "$apps"/.osbuild-deploy.new
cd "$apps"/.osbuild-deploy.new
trap 'cd /; rm -rf "$apps"/.osbuild-deploy.new' EXIT
tar -xz --no-same-owner
find . ! -type d ! -path ./compose.yaml | sort >"../$list.new"
sync -f "$apps"
if [ ! -e "$apps/$list" ]; then
  for name in ${FILE_NAMES.join(' ')}; do
    [ ! -e "$apps/$name" ] || { cp -p "$apps/$name" "$apps/$name.before-deploy"; echo "kept $apps/$name.before-deploy"; break; }
  done
fi
while read -r path; do
  if [ -e "$apps/$path" ] && [ "$(look "$path")" = "$(look "$apps/$path")" ]; then continue; fi
  mkdir -p "$apps/$(dirname "$path")"
  mv -fT "$path" "$apps/$path"
  echo "changed $(echo "$path" | cut -c3-)"
done <"$apps/$list.new"
mv -f compose.yaml "$apps/compose.yaml"
if [ -e "$apps/$list" ]; then
  grep -vxFf "$apps/$list.new" "$apps/$list" | while read -r path; do rm -f "$apps/$path"; done || true
fi
mv -f "$apps/$list.new" "$apps/$list"
sync -f "$apps"
`;

export const placeCommand = shellLine(['sh', '-c', program]);
