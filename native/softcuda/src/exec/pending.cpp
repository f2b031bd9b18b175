// Families of instructions that are not written yet.
#include "../check/shared_shadow.h"
#include "families.h"

namespace softcuda {

#define PENDING __attribute__((weak))

PENDING bool bindConvert(Binder&) { return false; }
PENDING bool bindMemory(Binder&) { return false; }
PENDING bool bindAtomic(Binder&) { return false; }
PENDING bool bindBarrier(Binder&) { return false; }
PENDING BlockShadow* newBlockShadow() { return nullptr; }
PENDING void deleteBlockShadow(BlockShadow*) {}
PENDING void resetBlockShadow(BlockShadow*, u32, u32, bool) {}
PENDING void orderAtBarrier(BlockShadow*, u32) {}
PENDING void poisonShared(u8*, u32) {}
PENDING void orderInWarp(BlockShadow*, Warp&, u32) {}

}  // namespace softcuda
