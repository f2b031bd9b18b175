// What the device that SOFTCUDA_ARCH names can do.
#pragma once

#include "../base.h"

namespace softcuda {

struct Limits {
    const char* name;
    u32 major, minor;
    u32 multiprocessors;
    u32 clockKilohertz, memoryClockKilohertz, busBits;
    u32 l2Bytes;
    u32 sharedPerMultiprocessor;
    u32 sharedPerBlock;  // after opting in; 48 KiB without
    u32 clusters;        // 1 if blocks can form clusters
};

inline constexpr u32 kSharedWithoutOptIn = 48 << 10;
inline constexpr u32 kReservedShared = 1 << 10;  // a block, by the driver
inline constexpr u32 kThreadsPerBlock = 1024;
inline constexpr u32 kThreadsPerMultiprocessor = 2048;
inline constexpr u32 kBlocksPerMultiprocessor = 32;
inline constexpr u32 kRegisters = 65536;  // a block and a multiprocessor
inline constexpr u32 kMaxBlock[3] = {1024, 1024, 64};
inline constexpr u32 kMaxGrid[3] = {0x7fffffff, 65535, 65535};

const Limits& limits();

}  // namespace softcuda
