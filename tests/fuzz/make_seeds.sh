#!/bin/sh
# make_seeds.sh DIRECTORY: a corpus for elf_fuzz: the checked-in seeds, and every _asyncio module
# this machine has, stripped or not.
# make_seeds.sh --rebuild: the checked-in seeds themselves, from the unit tests' fixtures.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
seeds=$here/seeds/elf
fixtures=$here/../unit/elf

# mini NAME SOURCE FLAGS...: a stripped ELF file of a few kilobytes.
mini() {
  name=$1 source=$2
  shift 2
  cc -O1 -nostdlib -fcf-protection=none -Wl,--eh-frame-hdr -Wl,-z,noseparate-code -Wl,-z,max-page-size=64 \
    "$@" "$fixtures/$source" -o "$seeds/$name"
}

rebuild() {
  mkdir -p "$seeds"
  find "$seeds" -type f ! -name 'found-*' -delete # those a fuzzing session found stay
  for shape in STATIC_TYPE SPEC SPEC_315; do
    mini "shared-$shape" fake_asyncio.c -s -shared -fPIC -D$shape
    mini "relr-$shape" fake_asyncio.c -s -shared -fPIC -D$shape -Wl,-z,pack-relative-relocs
    mini "fixed-$shape" fake_asyncio.c -s -no-pie -fno-pie -Wl,-e,0 -D$shape
  done
  mini symtab fake_asyncio.c -shared -fPIC -DSTATIC_TYPE -DVISIBLE
  mini sysv-hash fake_asyncio.c -s -shared -fPIC -DSPEC -DVISIBLE -Wl,--hash-style=sysv
  mini ambiguous fake_asyncio.c -s -shared -fPIC -DSPEC -DSECOND
  mini functions functions.S -s -shared
  mini steps fake_steps.c -s -shared -fPIC
  mini obmalloc fake_obmalloc.c -s -shared -fPIC
  mini allocator allocator.S -s -shared
  mini returns return_points.S -s -shared
  # With the compressed symbol table, with a debug link, and cut short.
  xz --check=crc32 -c "$seeds/symtab" >"$seeds/packed"
  objcopy --add-section .gnu_debugdata="$seeds/packed" "$seeds/shared-SPEC" "$seeds/debugdata"
  objcopy --add-gnu-debuglink="$seeds/packed" "$seeds/shared-SPEC" "$seeds/debuglink"
  rm "$seeds/packed"
  for size in 64 500 1500; do
    head -c "$size" "$seeds/shared-STATIC_TYPE" >"$seeds/cut-$size"
  done
}

if [ "$#" -ne 1 ]; then
  sed -n '2,4s/^# //p' "$0" >&2
  exit 2
fi
if [ "$1" = --rebuild ]; then
  rebuild
  exit 0
fi
mkdir -p "$1"
cp "$seeds"/* "$1"
find /usr/lib /usr/local/lib "$HOME/.pyenv/versions" ${ASYNCLEAK_FLEET:+"$ASYNCLEAK_FLEET"} \
  -type f -name '_asyncio.*.so' 2>/dev/null |
  while read -r file; do
    id=$(sha1sum "$file" | cut -c1-12)
    cp "$file" "$1/asyncio-$id"
    strip --strip-all -o "$1/stripped-$id" "$file"
  done
