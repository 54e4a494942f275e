/* A stand-in for Modules/_asynciomodule.c: the shapes the resolver looks for, and nothing else.
 * STATIC_TYPE, SPEC or SPEC_315 chooses how _asyncio.Task is described; TRACE_REFS lengthens the
 * object header as debug builds do; VISIBLE exports the functions, which makes the linker write
 * symbol relocations; SECOND adds another type of the same name. INIT names another tp_init,
 * NO_INIT leaves it out. */
#ifdef VISIBLE
#define FUNCTION __attribute__((noinline))
#else
#define FUNCTION __attribute__((noinline, used)) static
#endif

FUNCTION int _asyncio_Task___init__(void* self, void* args, void* kwargs) { return self == args && args == kwargs; }
FUNCTION void TaskObj_dealloc(void* self) { *(int*)self = 1; }
FUNCTION int TaskObj_traverse(void* self) { return *(int*)self + 2; }
FUNCTION int other_init(void* self) { return *(int*)self + 3; }

#ifndef INIT
#define INIT _asyncio_Task___init__
#endif

struct static_type {
#ifdef TRACE_REFS
  void* trace_refs[2];
#endif
  long refcnt;
  void* type;
  long size;
  const char* name;
  long basicsize, itemsize;
  void (*dealloc)(void*);
  void* until_traverse[16];
  int (*traverse)(void*);
  void* until_init[13];
  int (*init)(void*, void*, void*);
};

struct slot {
#ifdef SPEC_315
  unsigned short id, flags;
#else
  int id;
#endif
  void* value;
};

struct spec {
  const char* name;
  int basicsize, itemsize;
  unsigned flags;
  struct slot* slots;
};

/* The name alone, and as the tail of another string: neither may be taken for a type. */
const char* names[] = {"_asyncio.Task", "my_asyncio.Task", 0};

#ifdef STATIC_TYPE
struct static_type Task = {.name = "_asyncio.Task",
                           .basicsize = 176,
                           .dealloc = TaskObj_dealloc,
#ifndef NO_INIT
                           .init = (int (*)(void*, void*, void*))INIT,
#endif
                           .traverse = TaskObj_traverse};
#else
#ifdef SPEC_315
#define SLOT(number, function) \
  { number, 1, (void*)function }
#else
#define SLOT(number, function) \
  { number, (void*)function }
#endif
static struct slot slots[] = {SLOT(52, TaskObj_dealloc), SLOT(71, TaskObj_traverse), SLOT(60, INIT), {0}};
struct spec Task = {"_asyncio.Task", 176, 0, 0, slots};
#endif

#ifdef SECOND
struct static_type Second = {.name = "_asyncio.Task",
                             .basicsize = 176,
                             .dealloc = TaskObj_dealloc,
                             .traverse = TaskObj_traverse,
                             .init = (int (*)(void*, void*, void*))other_init};
#endif
