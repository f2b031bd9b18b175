// Families of instructions that are not written yet.
#include "families.h"

namespace softcuda {

#define PENDING __attribute__((weak))

PENDING bool bindConvert(Binder&) { return false; }
PENDING bool bindAtomic(Binder&) { return false; }
PENDING bool bindBarrier(Binder&) { return false; }

}  // namespace softcuda
