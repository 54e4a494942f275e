/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations faster than Python makes them, for alloc_churn.py and alloc_many.py. Compiled by test_memory.py. */
#include <stdlib.h>

enum { SLOTS = 1000 };

/* COUNT allocations, each after the end of the one SLOTS before it; in the end all have ended but KEPT. */
int churn(unsigned long count, unsigned long size, unsigned long kept) {
  void* ring[SLOTS] = {NULL};
  unsigned long i;

  for (i = 0; i < count; i++) {
    free(ring[i % SLOTS]);
    ring[i % SLOTS] = malloc(size);
    if (!ring[i % SLOTS]) return -1;
  }
  for (i = kept; i < SLOTS; i++) free(ring[i]);
  return 0; /* the others are lost, as a leak's are */
}

/* COUNT blocks in BLOCKS. */
int hold(void** blocks, unsigned long count, unsigned long size) {
  unsigned long i;

  for (i = 0; i < count; i++) {
    blocks[i] = malloc(size);
    if (!blocks[i]) return -1;
  }
  return 0;
}

void drop(void** blocks, unsigned long count) {
  unsigned long i;

  for (i = 0; i < count; i++) free(blocks[i]);
}
