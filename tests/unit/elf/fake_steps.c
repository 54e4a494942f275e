/* A stand-in for what Modules/_asynciomodule.c runs a task's steps with. STATIC_TYPE or SPEC chooses how the wrapper
 * of the first step is described; WAKEUP_TYPE or WAKEUP_METHOD what a wake-up is; TRACE_REFS lengthens the object's
 * head; STRANGE_SIZE adds a field, SECOND another method of the same name, NO_CALL leaves tp_call out. */
#ifdef VISIBLE
#define FUNCTION __attribute__((noinline))
#else
#define FUNCTION __attribute__((noinline, used)) static
#endif

FUNCTION void* TaskStepMethWrapper_call(void* self, void* args, void* kwds) { return args == kwds ? self : args; }
FUNCTION void* TaskWakeupMethWrapper_call(void* self, void* args, void* kwds) { return args == kwds ? 0 : self; }
FUNCTION void* task_wakeup(void* task, void* future) { return task == future ? 0 : future; }
FUNCTION void wrapper_dealloc(void* self) { *(int*)self = 1; }
FUNCTION int wrapper_traverse(void* self) { return *(int*)self + 2; }

struct head {
#ifdef TRACE_REFS
  void* trace_refs[2];
#endif
  long refcnt;
  void* type;
};

struct step_wrapper {
  struct head head;
  void *task, *arg;
#ifdef STRANGE_SIZE
  void* another;
#endif
};

struct wakeup_wrapper {
  struct head head;
  void* task;
};

struct static_type {
  struct head head;
  long size;
  const char* name;
  long basicsize, itemsize;
  void (*dealloc)(void*);
  void* until_call[9];
  void* (*call)(void*, void*, void*);
  void* until_traverse[6];
  int (*traverse)(void*);
};

struct method {
  const char* name;
  void* (*function)(void*, void*);
  int flags;
  const char* doc;
};

#ifdef NO_CALL
#define CALL 0
#else
#define CALL TaskStepMethWrapper_call
#endif

#ifdef STATIC_TYPE
struct static_type Step = {.name = "TaskStepMethWrapper",
                           .basicsize = sizeof(struct step_wrapper),
                           .dealloc = wrapper_dealloc,
                           .call = CALL,
                           .traverse = wrapper_traverse};
#else
struct slot {
  int id;
  void* value;
};
struct spec {
  const char* name;
  int basicsize, itemsize;
  unsigned flags;
  struct slot* slots;
};
static struct slot slots[] = {{52, wrapper_dealloc}, {50, CALL}, {71, wrapper_traverse}, {0, 0}};
struct spec Step = {"_asyncio.TaskStepMethWrapper", sizeof(struct step_wrapper), 0, 0, slots};
#endif

#ifdef WAKEUP_TYPE
struct static_type Wakeup = {.name = "TaskWakeupMethWrapper",
                             .basicsize = sizeof(struct wakeup_wrapper),
                             .dealloc = wrapper_dealloc,
                             .call = TaskWakeupMethWrapper_call,
                             .traverse = wrapper_traverse};
#endif

#ifdef WAKEUP_METHOD
/* Another calling convention (METH_NOARGS) under the same name is not it. */
struct method Other = {"task_wakeup", (void* (*)(void*, void*))wrapper_traverse, 4, 0};
struct method Wakeup = {"task_wakeup", task_wakeup, 8, 0};
#endif
#ifdef SECOND
struct method Second = {"task_wakeup", (void* (*)(void*, void*))wrapper_dealloc, 8, 0};
#endif
