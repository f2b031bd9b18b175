// The device's global memory: an address range of its own, its allocations, and which bytes have been written.
//
// Device addresses start at kDeviceBase = 2^48: not canonical on x86-64, so a host that dereferences one faults at once. Host memory that
// was registered or allocated as pinned is reachable from kernels under its host address, as with unified addressing.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "../base.h"

namespace softcuda {

inline constexpr u64 kDeviceBase = 0x0001'0000'0000'0000ull;
// Generic addresses of the shared and local windows; below them are host addresses, above device memory.
inline constexpr u64 kSharedWindow = 0x0002'0000'0000'0000ull;
inline constexpr u64 kLocalWindow = 0x0002'1000'0000'0000ull;
// Kernel parameters whose address is taken; read only.
inline constexpr u64 kParameterWindow = 0x0002'2000'0000'0000ull;
inline constexpr u64 kWindowBytes = 0x0000'0000'0100'0000ull;  // 16 MiB each

// What fresh memory of every space holds when checked: NaN as f64, f32, f16, bf16 and both fp8, -1 as an integer, at any alignment.
inline constexpr int kPoison = 0xff;

struct Allocation {
    u64 address = 0;
    u64 size = 0;
    u64 serial = 0;      // how many-th allocation of the process, from 1
    bool freed = false;  // kept for a while, so that a late access can be named
    std::string what;    // "cuMemAlloc", "cuMemAllocAsync", "variable table of module x", "pinned host memory"
};

// All members may be called from any thread.
class DeviceMemory {
public:
    static DeviceMemory& get();

    // Bytes that the device says it has (Settings::memory).
    u64 total() const;
    u64 free() const;

    // A fresh allocation aligned to 256 bytes, with a red zone behind it and, when checked, poison in it (in the first 64 MiB: the marks
    // guard the rest); 0 if out of memory.
    u64 allocate(u64 size, const std::string& what);
    // False if `address` is not the start of a live allocation.
    bool release(u64 address);
    // The live or recently freed allocation that holds or is nearest below `address`; size 0 if none.
    Allocation find(u64 address) const;
    // The nearest one that starts above `address`; size 0 if none.
    Allocation findAbove(u64 address) const;
    // True if [address, address + size) lies in one live device allocation.
    bool contains(u64 address, u64 size) const;
    void forEachLive(const std::function<void(const Allocation&)>& visit) const;

    // Pinned host memory that kernels may reach.
    void addHost(void* start, u64 size, const std::string& what);
    bool removeHost(void* start);
    bool containsHost(u64 address, u64 size) const;

    // Where a device address lies in this process; the range must be inside the arena.
    u8* host(u64 address) const { return arena_ + (address - kDeviceBase); }
    // One byte for each byte of device memory: 1 where something was written. Null when the checker is off.
    u8* shadow(u64 address) const { return shadow_ == nullptr ? nullptr : shadow_ + (address - kDeviceBase); }
    bool inArena(u64 address, u64 size) const { return address - kDeviceBase <= arenaBytes_ - size; }
    void markWritten(u64 address, u64 size);
    // Copies the written-marks of a device-to-device copy.
    void copyMarks(u64 destination, u64 source, u64 size);
    u64 arenaBytes() const { return arenaBytes_; }
    // Changes when any range, of the device or of the host, ceases to be valid: what was looked up before may be out of date.
    u64 generation() const { return generation_.load(std::memory_order_acquire); }

private:
    DeviceMemory();
    u8* arena_ = nullptr;
    u8* shadow_ = nullptr;
    u64 arenaBytes_ = 0;  // mapped readable and writable
    std::atomic<u64> generation_{1};
    struct State;
    State* state_;
};

}  // namespace softcuda
