"""Rows of src/python/object_layouts.inc."""
from gen_layouts.headers import (ABSENT, c_program, debug_offsets_text, has_member, offset, run_c, version_of,
                                 wrapped)
from gen_layouts.private_structs import declarations

# Values of the generator's state byte: enum _framestate (3.10: cpython/frameobject.h, then internal/pycore_frame.h).
# 3.10 keeps it in the frame object. 3.15 has no completed, and one more while a free-threaded build looks at it.
STATES = ['created', 'suspended', 'suspended_yield_from', 'executing', 'completed', 'cleared']
UNUSED_STATE = 127


def state_values(minor):
    if minor <= 9:
        return [UNUSED_STATE] * len(STATES)
    names = {name: 'FRAME_' + name.upper() for name in STATES}
    if minor == 10:
        names['completed'] = 'FRAME_RETURNED'
    if minor <= 12:
        names['suspended_yield_from'] = UNUSED_STATE
    if minor >= 15:
        names['completed'] = UNUSED_STATE
    return [names[name] for name in STATES]


def flags(minor, free_threaded):
    names = {
        'obj_gc_head': not free_threaded,
        'obj_dict_by_offset': minor <= 10,
        'obj_values_pointer': minor == 11,
        'obj_values_tagged': minor == 12,
        'obj_values_inline': minor >= 13,
        'obj_frame_embedded': minor >= 11,
        'obj_stack_index': 10 <= minor <= 13,
        'obj_stack_tagged': minor >= 14,
        'obj_must_cancel_bit': minor >= 13,
        'obj_gen_state': minor >= 11,
        'obj_no_varnames': minor >= 11,
        'obj_long_tagged': minor >= 12,
        'obj_arenas_in_interp': minor >= 12 and not free_threaded,
        'obj_obmalloc_pointer': minor >= 13 and not free_threaded,
    }
    return [name for name, is_set in names.items() if is_set]


def includes(minor):
    out = ['structmember.h'] if minor <= 11 else []
    if minor >= 10:
        out.append('internal/pycore_moduleobject.h')
    if minor >= 12:
        out += ['internal/pycore_object.h', 'internal/pycore_obmalloc.h']
    if minor >= 13:
        out.append('internal/pycore_tstate.h')
    return out


MUST_CANCEL_HELPER = '''
static int must_cancel_bit(void) {
  static struct al_task t; memset(&t, 0, sizeof t); t.must_cancel = 1; return lowest_bit(&t, sizeof t);
}
'''


def same_name(struct, prefix, names):
    """Fields PREFIX_NAME from members of one struct: names is 'field=member ...'."""
    pairs = [name.split('=') for name in names.split()]
    return {f'{prefix}_{field}': offset(struct, member) for field, member in pairs}


def absent_unless(present, fields):
    return fields if present else {name: ABSENT for name in fields}


def type_and_instance_fields(minor, free_threaded):
    return {
        'refcount': offset('PyObject', 'ob_ref_local' if free_threaded else 'ob_refcnt'),
        'gc_bits': offset('PyObject', 'ob_gc_bits') if free_threaded else ABSENT,
        **same_name('PyTypeObject', 'type', 'basicsize=tp_basicsize itemsize=tp_itemsize flags=tp_flags '
                    'base=tp_base dict=tp_dict dictoffset=tp_dictoffset'),
        'type_qualname': offset('PyHeapTypeObject', 'ht_qualname'),
        'type_cached_keys': offset('PyHeapTypeObject', 'ht_cached_keys'),
        # _PyObject_ValuesPointer, _PyObject_ManagedDictPointer (3.11); _PyObject_DictOrValuesPointer (3.12)
        'instance_values': {11: '-32', 12: '-24'}.get(minor, '0'),
        'instance_dict': {11: '-24', 12: '-24'}.get(minor, 'MANAGED_DICT_OFFSET' if minor >= 13 else '0'),
        'values_first': offset('PyDictValues', 'values') if minor >= 11 else ABSENT,
    }


def container_fields(minor):
    keys = 'struct _dictkeysobject'
    number = 'struct _longobject'
    return {
        **same_name('PyListObject', 'list', 'items=ob_item allocated=allocated'),
        **same_name('PyDictObject', 'dict', 'used=ma_used values=ma_values'),
        'keys_size': offset(keys, 'dk_size') if minor <= 10 else ABSENT,
        'keys_log2_size': offset(keys, 'dk_log2_size') if minor >= 11 else ABSENT,
        **same_name('PySetObject', 'set', 'used=used mask=mask table=table small_table=smalltable'),
        **same_name('struct al_deque', 'deque', 'left=leftblock right=rightblock left_index=leftindex'),
        **same_name('PyByteArrayObject', 'bytearray', 'alloc=ob_alloc start=ob_start'),
        'long_tag': offset(number, 'long_value.lv_tag' if minor >= 12 else 'ob_base.ob_size'),
        'long_digits': offset(number, 'long_value.ob_digit' if minor >= 12 else 'ob_digit'),
        'float_value': offset('PyFloatObject', 'ob_fval'),
        **same_name('PyMemoryViewObject', 'memoryview', 'base=view.obj shape=view.shape'),
        **absent_unless(minor <= 12, same_name('struct al_simple_queue', 'simple_queue', 'list=lst taken=lst_pos')),
        'simple_queue_count': offset('struct al_simple_queue', 'num_items') if minor >= 13 else ABSENT,
    }


def callable_fields(minor):
    return {
        'cell_value': offset('PyCellObject', 'ob_ref'),
        **same_name('PyFunctionObject', 'function',
                    'code=func_code globals=func_globals qualname=func_qualname closure=func_closure '
                    'module=func_module'),
        **same_name('PyMethodObject', 'method', 'function=im_func self=im_self'),
        **same_name('PyCFunctionObject', 'builtin', 'def=m_ml self=m_self'),
        **same_name('struct al_partial', 'partial', 'function=fn args=args'),
        'module_name': offset('struct al_module', 'name') if minor <= 9 else offset('PyModuleObject', 'md_name'),
        'member_def': offset('PyMemberDescrObject', 'd_member'),
    }


def generator_fields(minor):
    old = minor <= 10
    if old:
        frame = same_name('PyFrameObject', 'frame', 'locals=f_localsplus stacktop=' +
                          ('f_stackdepth' if minor == 10 else 'f_stacktop'))
        frame['frame_state'] = offset('PyFrameObject', 'f_state') if minor == 10 else ABSENT
        frame['frame_value_stack'] = offset('PyFrameObject', 'f_valuestack')
    else:
        frame = same_name('_PyInterpreterFrame', 'frame', 'locals=localsplus stacktop=' +
                          ('stackpointer' if minor >= 14 else 'stacktop'))
        frame.update({name: ABSENT for name in ('frame_state', 'frame_value_stack')})
    return {
        'gen_frame': offset('PyGenObject', 'gi_frame' if old else 'gi_iframe'),
        'gen_state': ABSENT if old else offset('PyGenObject', 'gi_frame_state'),
        'gen_running': offset('PyGenObject', 'gi_running') if minor <= 9 else ABSENT,
        'gen_exception': ABSENT if old else offset('PyGenObject', 'gi_exc_state.exc_value'),
        'asend_generator': offset('struct al_asend', 'gen'),
        'athrow_generator': offset('struct al_athrow', 'gen'),
        'coroutine_wrapper_coroutine': offset('struct al_coro_wrapper', 'coroutine'),
        **frame,
    }


def code_fields(minor):
    old = minor <= 10
    return {
        **absent_unless(not old, same_name('PyCodeObject', 'code',
                                           'nlocalsplus=co_nlocalsplus localsplusnames=co_localsplusnames')),
        **absent_unless(old, same_name('PyCodeObject', 'code',
                                       'varnames=co_varnames cellvars=co_cellvars freevars=co_freevars')),
        **same_name('PyCodeObject', 'code', 'consts=co_consts names=co_names stacksize=co_stacksize'),
    }


def asyncio_fields(minor):
    return {
        **same_name('struct al_future', 'future', 'loop=loop callback0=callback0 callbacks=callbacks '
                    'exception=exception result=result state=state'),
        **same_name('struct al_task', 'task', 'fut_waiter=fut_waiter coro=coro name=name'),
        'task_must_cancel': 'must_cancel_bit() / 8',
        'task_num_cancels': offset('struct al_task', 'num_cancels_requested') if minor >= 11 else ABSENT,
        'task_awaited_by': offset('struct al_task', 'awaited_by') if minor >= 14 else ABSENT,
        'future_iter_future': offset('struct al_future_iter', 'future'),
        'step_task': offset('struct al_step', 'task'),
    }


def interpreter_fields(minor, free_threaded):
    thread, arenas = '_PyThreadStateImpl', 'struct _obmalloc_state'
    pool = 'struct pool_header' if minor >= 12 else 'struct al_pool'
    return {
        'thread_running_loop': offset(thread, 'asyncio_running_loop') if minor >= 13 else ABSENT,
        'thread_running_task': offset(thread, 'asyncio_running_task') if minor >= 14 else ABSENT,
        **absent_unless(minor >= 12 and not free_threaded, {
            'interp_obmalloc': offset('PyInterpreterState', 'obmalloc'),
            'obmalloc_arenas': offset(arenas, 'mgmt.arenas'),
            'obmalloc_max_arenas': offset(arenas, 'mgmt.maxarenas'),
        }),
        # Objects/obmalloc.c: 4 KiB without, 16 KiB with the radix tree (3.10). Free-threaded builds have mimalloc.
        'pool_bytes': '0' if free_threaded else 'POOL_SIZE' if minor >= 12 else '16384' if minor >= 10 else '4096',
        **absent_unless(not free_threaded, {
            'pool_count': offset(pool, 'ref.count' if minor >= 12 else 'count'),
            'pool_size_class': offset(pool, 'szidx'),
        }),
        'task_basicsize': 'sizeof(struct al_task)',
        'future_basicsize': 'sizeof(struct al_future)',
    }


def fields(minor, free_threaded):
    """ObjectLayout field -> C expression, in the order of src/python/object_layout.h."""
    return {**type_and_instance_fields(minor, free_threaded), **container_fields(minor), **callable_fields(minor),
            **generator_fields(minor), **code_fields(minor), **asyncio_fields(minor),
            **interpreter_fields(minor, free_threaded)}


def object_row(include_dir, free_threaded=False):
    _, minor = version_of(include_dir)
    layout = fields(minor, free_threaded)
    states = state_values(minor)
    mask = '1 << (must_cancel_bit() % 8)' if minor >= 13 else '0'
    wanted = states + [mask] + [e for e in layout.values() if e is not ABSENT]
    extra = declarations(minor, free_threaded) + MUST_CANCEL_HELPER
    values = iter(run_c(include_dir, c_program(minor, wanted, includes(minor), extra), free_threaded))
    state_items = [f'.{name} = {next(values)}' for name in STATES]
    state_items[0], state_items[-1] = '.states = {' + state_items[0], state_items[-1] + '}'
    flag_names = flags(minor, free_threaded)
    items = [*state_items, f'.must_cancel_mask = {next(values)}']
    items += [f'.{name} = ' + ('AL_ABSENT' if e is ABSENT else str(next(values))) for name, e in layout.items()]
    indent = '         '
    return (f'{{.minor = {minor},\n .free_threaded = {str(free_threaded).lower()},\n .layout =\n     {{\n'
            f'{indent}.flags = {wrapped(flag_names, indent, " | ").strip(" |")},\n'
            f'{wrapped(items, indent)}\n     }}}},\n')


# ObjectLayout field -> member of _Py_DebugOffsets. A field is skipped where that minor version has no such member.
DEBUG_FIELDS = {
    'type_basicsize': 'type_object.tp_basicsize', 'type_flags': 'type_object.tp_flags',
    'type_dictoffset': 'type_object.tp_dictoffset', 'type_cached_keys': 'heap_type_object.ht_cached_keys',
    'list_items': 'list_object.ob_item', 'dict_values': 'dict_object.ma_values',
    'set_used': 'set_object.used', 'set_mask': 'set_object.mask', 'set_table': 'set_object.table',
    'long_tag': 'long_object.lv_tag', 'long_digits': 'long_object.ob_digit', 'float_value': 'float_object.ob_fval',
    'gen_frame': 'gen_object.gi_iframe', 'gen_state': 'gen_object.gi_frame_state',
    'frame_locals': 'interpreter_frame.localsplus', 'frame_stacktop': 'interpreter_frame.stackpointer',
    'code_localsplusnames': 'code_object.localsplusnames',
}


def object_debug_row(include_dir):
    _, minor = version_of(include_dir)
    text = debug_offsets_text(include_dir)
    rows = {name: member for name, member in DEBUG_FIELDS.items() if has_member(text, member)}
    words = run_c(include_dir, c_program(minor, [f'offsetof(_Py_DebugOffsets, {m}) / 8' for m in rows.values()]), False)
    lines = [f'         {{"{name}", &ObjectLayout::{name}, {word}}},' for name, word in zip(rows, words)]
    return f'{{.minor = {minor},\n .fields =\n     {{\n' + '\n'.join(lines) + '\n     }},\n'
