/* A stand-in for Objects/obmalloc.c: the tables of allocators and calls through them, and nothing else.
 * MIMALLOC gives objects functions of their own, NO_PYMALLOC takes them away; TWICE keeps the tables also in what they
 * are reset from, SECOND others beside them; COPIES guards calls the way an optimiser with a profile does. */
#define FUNCTION __attribute__((noinline, used)) static

typedef unsigned long size_t;

FUNCTION void* _PyMem_RawMalloc(void* ctx, size_t size) { return (char*)ctx + size; }
FUNCTION void* _PyMem_RawCalloc(void* ctx, size_t count, size_t size) { return (char*)ctx + count * size; }
FUNCTION void* _PyMem_RawRealloc(void* ctx, void* p, size_t size) { return (char*)ctx + size + (p == ctx); }
FUNCTION void _PyMem_RawFree(void* ctx, void* p) { *(void**)p = ctx; }
FUNCTION void* _PyObject_Malloc(void* ctx, size_t size) { return size > 512 ? _PyMem_RawMalloc(ctx, size) : ctx; }
FUNCTION void* _PyObject_Calloc(void* ctx, size_t count, size_t size) {
  return count * size > 512 ? _PyMem_RawCalloc(ctx, count, size) : ctx;
}
FUNCTION void* _PyObject_Realloc(void* ctx, void* p, size_t size) {
  return p ? _PyMem_RawRealloc(ctx, p, size) : _PyObject_Malloc(ctx, size);
}
FUNCTION void _PyObject_Free(void* ctx, void* p) {
  if (p) _PyMem_RawFree(ctx, p);
}

typedef struct {
  void* ctx;
  void* (*malloc)(void*, size_t);
  void* (*calloc)(void*, size_t, size_t);
  void* (*realloc)(void*, void*, size_t);
  void (*free)(void*, void*);
} allocator;

struct debug {
  char api_id;
  allocator alloc;
};
struct debug_tables {
  struct debug raw, mem, obj;
};

#define RAW \
  { 0, _PyMem_RawMalloc, _PyMem_RawCalloc, _PyMem_RawRealloc, _PyMem_RawFree }
#define PYMALLOC \
  { 0, _PyObject_Malloc, _PyObject_Calloc, _PyObject_Realloc, _PyObject_Free }

#ifdef NO_PYMALLOC
#define MEM RAW
#define OBJ RAW
#else
#ifdef MIMALLOC
#define MEM \
  { 0, _PyObject_Malloc, _PyObject_Calloc, _PyMem_RawRealloc, _PyObject_Free }
#else
#define MEM PYMALLOC
#endif
#define OBJ PYMALLOC
#endif

allocator raw_in_use = RAW, mem_in_use = MEM, obj_in_use = OBJ;
/* The first entry alone is no table. */
struct debug lone = {'r', RAW};
struct debug_tables debug = {{'r', RAW}, {'m', MEM}, {'o', OBJ}};
#ifdef TWICE
struct debug_tables initial = {{'r', RAW}, {'m', MEM}, {'o', OBJ}};
#endif
#ifdef SECOND
struct debug_tables second = {{'r', RAW}, {'m', RAW}, {'o', RAW}};
#endif

/* Whom to ask, not a copy: no call through the pointer. */
int pymalloc_enabled(void) { return obj_in_use.malloc == _PyObject_Malloc && debug.obj.alloc.free == _PyObject_Free; }

#ifdef COPIES
extern long taken[4];
long taken[4];
/* The two sides are kept apart by what they do besides. */
void* copy_of_malloc(size_t size) {
  void* (*function)(void*, size_t) = obj_in_use.malloc;
  if (__builtin_expect(function != _PyObject_Malloc, 0)) return function(obj_in_use.ctx, size);
  taken[0] += (long)size;
  return taken;
}
void* malloc_and_count(size_t size) {
  void* (*function)(void*, size_t) = obj_in_use.malloc;
  void* block = taken;
  if (function == _PyObject_Malloc) {
    taken[1] += (long)size;
  } else {
    block = function(obj_in_use.ctx, size);
  }
  taken[2]++;
  return block;
}
void copy_of_free(void* p) {
  void (*function)(void*, void*) = obj_in_use.free;
  if (function == _PyObject_Free) {
    taken[3] -= (long)p;
  } else {
    function(obj_in_use.ctx, p);
  }
}
/* calloc is not asked for. */
void* copy_of_calloc(size_t count) {
  void* (*function)(void*, size_t, size_t) = obj_in_use.calloc;
  return function == _PyObject_Calloc ? taken : function(obj_in_use.ctx, count, 1);
}
#endif
