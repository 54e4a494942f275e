"""Structures that CPython keeps to its .c files, which no header and no package has.

Each is told here as a line of words, in their order in memory: `name` is a pointer, `name:T` has another type, `name:1`
is a bit field, `name[N]` are N pointers; the object's head comes first where the struct begins with one. They end where
nothing behind is wanted. Compared with the DWARF of 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1, 3.13.0 and a 3.13.5t, and
by tests/unit/python/object_layout_test.cpp with living interpreters.
"""

# Modules/_asynciomodule.c: FutureObj_HEAD, and what TaskObj adds to it.
FUTURE_START = 'loop callback0 context0 callbacks exception '
FUTURE_FLAGS = 'state:int log_tb:int blocking:int dict weakreflist '
TASK_POINTERS = 'fut_waiter coro name context '
TASK_FLAGS = 'must_cancel:int log_destroy_pending:int '
BIT_FIELDS = 'log_tb:1 blocking:1 '
TASK_BITS = 'must_cancel:1 log_destroy_pending:1 num_cancels_requested:int '
TASK_NODE = 'node[2] '  # struct llist_node

ERROR_STATE = 'cancelled_exc_state[4] '  # _PyErr_StackItem: three pointers and a link
TB_TO_MESSAGE = 'exception_tb result source_tb cancel_msg '


def future(minor):
    if minor == 8:
        return FUTURE_START + 'result source_tb ' + FUTURE_FLAGS
    if minor == 9:
        return FUTURE_START + 'result source_tb cancel_msg ' + FUTURE_FLAGS + ERROR_STATE
    if minor == 10:
        return FUTURE_START + TB_TO_MESSAGE + FUTURE_FLAGS + ERROR_STATE
    if minor <= 12:
        return FUTURE_START + TB_TO_MESSAGE + FUTURE_FLAGS + 'cancelled_exc '
    if minor == 13:
        return FUTURE_START + TB_TO_MESSAGE + 'cancelled_exc state:int ' + BIT_FIELDS
    return (FUTURE_START + TB_TO_MESSAGE + 'cancelled_exc awaited_by state:int is_task:char awaited_by_is_set:char '
            + BIT_FIELDS)


def task(minor, free_threaded):
    if minor <= 10:
        return future(minor) + TASK_POINTERS + TASK_FLAGS
    if minor <= 12:
        return future(minor) + TASK_POINTERS + TASK_FLAGS + 'num_cancels_requested:int '
    if minor == 13:
        return future(minor) + TASK_BITS + TASK_POINTERS
    return future(minor) + TASK_BITS + TASK_POINTERS + TASK_NODE + ('tid ' if free_threaded else '')


# Modules/_queuemodule.c: simplequeueobject; a ring buffer since 3.13.
QUEUE_OF_LIST = 'lock locked:int lst lst_pos:long '
QUEUE_OF_RING = 'has_threads_waiting:char put_idx:long get_idx:long items items_cap:long num_items:long '


def structs(minor, free_threaded):
    """Name -> (head, words)."""
    return {
        'al_future': ('PyObject_HEAD', future(minor)),
        'al_task': ('PyObject_HEAD', task(minor, free_threaded)),
        'al_future_iter': ('PyObject_HEAD', 'future '),   # futureiterobject
        'al_step': ('PyObject_HEAD', 'task arg '),        # TaskStepMethWrapper; TaskWakeupMethWrapper (<= 3.9) the same
        # Modules/_collectionsmodule.c, _functoolsmodule.c
        'al_deque': ('PyObject_VAR_HEAD', 'leftblock rightblock leftindex:long rightindex:long '),
        'al_partial': ('PyObject_HEAD', 'fn args '),
        'al_simple_queue': ('PyObject_HEAD', QUEUE_OF_LIST if minor <= 12 else QUEUE_OF_RING),
        # Objects/genobject.c
        'al_asend': ('PyObject_HEAD', 'gen '),
        'al_athrow': ('PyObject_HEAD', 'gen '),
        'al_coro_wrapper': ('PyObject_HEAD', 'coroutine '),
        # Objects/moduleobject.c before 3.10
        'al_module': ('PyObject_HEAD', 'dict def state weaklist name '),
        # Objects/obmalloc.c before 3.12
        'al_pool': ('', 'count:unsigned freeblock nextpool prevpool arenaindex:unsigned szidx:unsigned '),
    }


def declare(word):
    if ':' not in word:
        return f'void *{word}'
    name, kind = word.split(':')
    return f'unsigned {name} : {kind}' if kind.isdigit() else f'{kind} {name}'


def declarations(minor, free_threaded):
    """C text of all of them."""
    lines = []
    for name, (head, words) in structs(minor, free_threaded).items():
        members = '; '.join(declare(word) for word in words.split())
        lines.append(f'struct {name} {{ {head} {members}; }};'.replace('PyObject_HEAD ', 'PyObject_HEAD\n')
                     .replace('PyObject_VAR_HEAD ', 'PyObject_VAR_HEAD\n'))
    return '\n'.join(lines)
