"""CPython's headers asked with a C program: what both kinds of rows are printed with."""
import glob
import os
import re
import subprocess
import sys
import tempfile

ABSENT = None

# dict keys before 3.11 are private to Objects/dict-common.h (equal in 3.8.18, 3.9.18, 3.10.13), which no package installs.
OLD_DICT_KEYS = '''struct _dictkeysobject { Py_ssize_t dk_refcnt; Py_ssize_t dk_size; void *dk_lookup;
 Py_ssize_t dk_usable; Py_ssize_t dk_nentries; char dk_indices[]; };'''


def offset(struct, member):
    return f'offsetof({struct}, {member})'


def includes(minor):
    out = ['Python.h', 'frameobject.h', 'internal/pycore_pystate.h', 'internal/pycore_interp.h',
           'internal/pycore_runtime.h']
    if minor == 8:
        out.remove('internal/pycore_interp.h'), out.remove('internal/pycore_runtime.h')
    if minor >= 11:
        out += ['internal/pycore_frame.h', 'internal/pycore_dict.h']
    if minor >= 13:
        out += ['internal/pycore_genobject.h']
    if minor >= 14:
        out += ['internal/pycore_interpframe.h', 'internal/pycore_interpframe_structs.h']
    return out


HELPERS = '''
static int lowest_bit(const void *object, size_t size) {
  const unsigned char *bytes = object;
  for (size_t i = 0; i < size * 8; i++) if (bytes[i / 8] >> (i % 8) & 1) return (int)i;
  return -1;
}
static int str_kind_bit(void) {
  PyASCIIObject s; memset(&s, 0, sizeof s); s.state.kind = 7; return lowest_bit(&s, sizeof s);
}
__attribute__((unused)) static int str_state_word(void) { return str_kind_bit() / 32 * 4; }
__attribute__((unused)) static int str_kind_shift(void) { return str_kind_bit() % 32; }
'''
THREAD_HELPER = '''
static int thread_active_mask(void) {
  static PyThreadState t; memset(&t, 0, sizeof t); t._status.active = 1;
  return 1 << (lowest_bit(&t, sizeof t) - (int)offsetof(PyThreadState, _status) * 8);
}
'''


def version_of(include_dir):
    text = open(os.path.join(include_dir, 'patchlevel.h')).read()
    full = re.search(r'#define PY_VERSION\s+"([^"]+)"', text).group(1)
    return full, int(re.search(r'#define PY_MINOR_VERSION\s+(\d+)', text).group(1))


def run_c(include_dir, source, free_threaded):
    with tempfile.TemporaryDirectory() as work:
        path, program = os.path.join(work, 'gen.c'), os.path.join(work, 'gen')
        with open(path, 'w') as out:
            out.write(source)
        command = [os.environ.get('CC', 'cc'), '-w', '-I', include_dir, '-I', os.path.join(include_dir, 'internal'),
                   '-I', os.path.dirname(os.path.abspath(include_dir)), '-o', program, path]
        if free_threaded:
            command.insert(1, '-DPy_GIL_DISABLED=1')
        if subprocess.run(command).returncode != 0:
            sys.exit(f'gen-layouts: {include_dir}: the C program does not compile; which member moved is in the lines above')
        return [int(line) for line in subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()]


def c_program(minor, expressions, more_includes=(), declarations=''):
    lines = ['#define Py_BUILD_CORE 1', '#include <stddef.h>', '#include <stdio.h>', '#include <string.h>']
    lines += [f'#include "{name}"' for name in [*includes(minor), *more_includes]]
    lines += ['#undef MIN', '#undef MAX', '#define MIN(a, b) ((a) < (b) ? (a) : (b))',
              '#define MAX(a, b) ((a) > (b) ? (a) : (b))']
    if minor <= 10:
        lines.append(OLD_DICT_KEYS)
    lines += [HELPERS, THREAD_HELPER if minor >= 12 else '', declarations, 'int main(void) {']
    lines += [f'  printf("%ld\\n", (long)({e}));' for e in expressions]
    return '\n'.join(lines + ['  return 0;', '}', ''])


def wrapped(items, indent, separator=', ', width=118):
    lines, line = [], indent
    for item in items:
        if len(line) + len(item) + len(separator) > width and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += item + separator
    return '\n'.join(lines + [line.rstrip()])


def header_sets(extra):
    """Every include directory with internal headers on this machine."""
    pyenv = os.environ.get('PYENV_ROOT', os.path.expanduser('~/.pyenv'))
    patterns = ['/usr/include/python3.*', pyenv + '/versions/*/include/python3.*']
    if extra:
        patterns.append(os.path.join(extra, '**', 'include', 'python3.*'))
    found = {os.path.realpath(p) for pattern in patterns for p in glob.glob(pattern, recursive=True)}
    return sorted(p for p in found if os.path.exists(os.path.join(p, 'internal', 'pycore_pystate.h'))
                  and 8 <= version_of(p)[1])



def has_member(text, member):
    struct, name = member.split('.')
    block = re.search(r'struct _%s\s*\{(.*?)\}' % struct, text, re.S)
    return block is not None and re.search(r'\b%s;' % name, block.group(1)) is not None


def debug_offsets_text(include_dir):
    """The headers that may define _Py_DebugOffsets (3.13: pycore_runtime.h)."""
    headers = [os.path.join(include_dir, 'internal', name) for name in ('pycore_debug_offsets.h', 'pycore_runtime.h')]
    return ''.join(open(h).read() for h in headers if os.path.exists(h))
