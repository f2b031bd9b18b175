// Where the bytes of an access lie in this process, after the checks that belong to their space.
#pragma once

#include <functional>

#include "binder.h"

namespace softcuda {

// Atomic accesses read and write. They and the strong ones (volatile, relaxed, acquire, release) do not race with each other.
enum class Access : u8 { read, write, atomic, strongRead, strongWrite };
inline bool reads(Access access) { return access != Access::write && access != Access::strongWrite; }
inline bool writes(Access access) { return access != Access::read && access != Access::strongRead; }
inline bool isStrong(Access access) { return access >= Access::atomic; }

// The place of `bytes` bytes (1, 2, 4, 8 or 16) at one lane's address. Faults where hardware does: an address outside the space, one that
// is no multiple of `bytes`. When checked, it also finds addresses outside of every allocation, reads of what nothing wrote and races in
// shared memory, and marks what is written. Null where a finding was told and the access cannot be made: the caller skips it.
using Place = u8* (*)(Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes, Access access);

u8* globalPlace(Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes, Access access);
u8* sharedPlace(Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes, Access access);
u8* localPlace(Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes, Access access);
// By the window that the address lies in: shared, local, else global.
u8* genericPlace(Warp& w, const Inst* i, u32 lane, u64 address, u32 bytes, Access access);

// By the instruction's modifiers (.global, .shared, .shared::cta, .local, none); throws on other spaces.
Place placeOf(Binder& b);

// Makes the copies of cp.async that `due` tells among those of `lanes`, in the order in which they were issued.
void landCopies(Warp& w, u32 lanes, const std::function<bool(const PendingCopy&)>& due);

// One lane's address: op[k] holds the base that Binder::address() bound, `wide` tells its width, `offset` is added.
inline u64 addressOf(Warp& w, u32 place, bool wide, u64 offset, u32 lane) {
    return (wide ? w.r<u64>(place)[lane] : w.r<u32>(place)[lane]) + offset;
}

}  // namespace softcuda
