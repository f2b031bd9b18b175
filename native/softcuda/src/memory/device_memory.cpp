// The arena behind device addresses: reserved once, cut into allocations with a red zone behind each. Freed ranges are kept apart as long
// as there is room, so that a late access meets no new owner.
#include "device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "../check/checker.h"

namespace softcuda {
namespace {

constexpr u64 kGrain = 256;
constexpr u64 kMaxRedZone = 64 << 10;
constexpr u64 kPoisonLimit = 64 << 20;
constexpr u64 kPage = 4096;
// Freed ranges from this size on go back to the operating system.
constexpr u64 kTrim = 1 << 20;

u64 roundUp(u64 n, u64 to) { return (n + to - 1) / to * to; }

// At least one grain; wider behind large allocations, so that a stray row is caught too.
u64 redZone(u64 size) { return roundUp(std::clamp(size / 8, kGrain, kMaxRedZone), kGrain); }

u8* reserve(u64 bytes) {
    void* start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) throw std::runtime_error("softcuda: cannot reserve " + std::to_string(bytes) + " bytes of address space");
    return static_cast<u8*>(start);
}

}  // namespace

struct DeviceMemory::State {
    struct Range {
        Allocation allocation;
        u64 bytes = 0;  // with the red zone
    };
    struct HostRange {
        u64 size;
        std::string what;
    };

    mutable std::shared_mutex mutex;
    std::map<u64, Range> ranges;  // live ones and those in quarantine
    std::deque<u64> quarantine;   // oldest first
    std::map<u64, u64> gaps;      // free ranges below `top`: start -> bytes
    std::map<u64, HostRange> hosts;
    u64 top = kDeviceBase + kGrain;
    u64 end = 0;
    u64 used = 0;  // bytes of live allocations, in grains
    u64 serial = 0;
    u64 total = 0;

    // The smallest gap that is large enough, or fresh space; 0 if there is none.
    u64 take(u64 bytes) {
        auto best = gaps.end();
        for (auto gap = gaps.begin(); gap != gaps.end(); ++gap)
            if (gap->second >= bytes && (best == gaps.end() || gap->second < best->second)) best = gap;
        if (best != gaps.end()) {
            u64 start = best->first, rest = best->second - bytes;
            gaps.erase(best);
            if (rest > 0) gaps.emplace(start + bytes, rest);
            return start;
        }
        if (end - top < bytes) return 0;
        top += bytes;
        return top - bytes;
    }

    void addGap(u64 start, u64 bytes) {
        auto next = gaps.lower_bound(start);
        if (next != gaps.end() && next->first == start + bytes) {
            bytes += next->second;
            next = gaps.erase(next);
        }
        if (next != gaps.begin()) {
            auto before = std::prev(next);
            if (before->first + before->second == start) {
                before->second += bytes;
                return;
            }
        }
        gaps.emplace(start, bytes);
    }

    bool endQuarantine() {
        if (quarantine.empty()) return false;
        auto range = ranges.find(quarantine.front());
        quarantine.pop_front();
        addGap(range->first, range->second.bytes);
        ranges.erase(range);
        return true;
    }
};

DeviceMemory& DeviceMemory::get() {
    // Never destroyed: worker threads and exit handlers may still use it.
    static DeviceMemory* memory = new DeviceMemory();
    return *memory;
}

DeviceMemory::DeviceMemory() : state_(new State()) {
    state_->total = settings().memory;
    // Red zones, rounding and the quarantine take no part of the total.
    arenaBytes_ = roundUp(2 * state_->total + (64 << 20), kPage);
    arena_ = reserve(arenaBytes_);
    if (settings().checked()) shadow_ = reserve(arenaBytes_);
    state_->end = kDeviceBase + arenaBytes_;
}

u64 DeviceMemory::total() const { return state_->total; }

u64 DeviceMemory::free() const {
    std::shared_lock lock(state_->mutex);
    return state_->total - state_->used;
}

u64 DeviceMemory::allocate(u64 size, const std::string& what) {
    std::unique_lock lock(state_->mutex);
    if (size == 0 || size > state_->total || roundUp(size, kGrain) > state_->total - state_->used) return 0;
    u64 bytes = roundUp(size, kGrain) + redZone(size);
    u64 address = state_->take(bytes);
    while (address == 0 && state_->endQuarantine()) address = state_->take(bytes);
    if (address == 0) return 0;
    state_->used += roundUp(size, kGrain);
    state_->ranges[address] = {{address, size, ++state_->serial, false, what}, bytes};
    if (shadow_ != nullptr) {
        std::memset(host(address), kPoison, std::min(size, kPoisonLimit));
        std::memset(shadow(address), 0, size);
    }
    return address;
}

bool DeviceMemory::release(u64 address) {
    std::unique_lock lock(state_->mutex);
    auto found = state_->ranges.find(address);
    if (found == state_->ranges.end() || found->second.allocation.freed) return false;
    auto& [allocation, bytes] = found->second;
    allocation.freed = true;
    state_->used -= roundUp(allocation.size, kGrain);
    state_->quarantine.push_back(address);
    generation_.fetch_add(1, std::memory_order_release);
    // Unchecked, memory is reused at once: it is warm.
    if (shadow_ == nullptr) {
        while (state_->endQuarantine()) continue;
    } else if (bytes >= kTrim) {
        u64 start = roundUp(address - kDeviceBase, kPage), length = (address - kDeviceBase + bytes) / kPage * kPage - start;
        madvise(arena_ + start, length, MADV_DONTNEED);
        madvise(shadow_ + start, length, MADV_DONTNEED);
    }
    return true;
}

Allocation DeviceMemory::find(u64 address) const {
    std::shared_lock lock(state_->mutex);
    auto above = state_->ranges.upper_bound(address);
    return above == state_->ranges.begin() ? Allocation() : std::prev(above)->second.allocation;
}

Allocation DeviceMemory::findAbove(u64 address) const {
    std::shared_lock lock(state_->mutex);
    auto above = state_->ranges.upper_bound(address);
    return above == state_->ranges.end() ? Allocation() : above->second.allocation;
}

bool DeviceMemory::contains(u64 address, u64 size) const {
    std::shared_lock lock(state_->mutex);
    auto above = state_->ranges.upper_bound(address);
    if (above == state_->ranges.begin()) return false;
    const Allocation& at = std::prev(above)->second.allocation;
    return !at.freed && size <= at.size && address - at.address <= at.size - size;
}

void DeviceMemory::forEachLive(const std::function<void(const Allocation&)>& visit) const {
    std::shared_lock lock(state_->mutex);
    for (const auto& [address, range] : state_->ranges)
        if (!range.allocation.freed) visit(range.allocation);
}

void DeviceMemory::addHost(void* start, u64 size, const std::string& what) {
    std::unique_lock lock(state_->mutex);
    state_->hosts[reinterpret_cast<u64>(start)] = {size, what};
}

bool DeviceMemory::removeHost(void* start) {
    std::unique_lock lock(state_->mutex);
    generation_.fetch_add(1, std::memory_order_release);
    return state_->hosts.erase(reinterpret_cast<u64>(start)) == 1;
}

bool DeviceMemory::containsHost(u64 address, u64 size) const {
    std::shared_lock lock(state_->mutex);
    auto above = state_->hosts.upper_bound(address);
    if (above == state_->hosts.begin()) return false;
    const auto& [start, range] = *std::prev(above);
    return size <= range.size && address - start <= range.size - size;
}

void DeviceMemory::markWritten(u64 address, u64 size) {
    if (shadow_ != nullptr && size <= arenaBytes_ && inArena(address, size)) std::memset(shadow(address), 1, size);
}

void DeviceMemory::copyMarks(u64 destination, u64 source, u64 size) {
    if (shadow_ != nullptr && size <= arenaBytes_ && inArena(destination, size) && inArena(source, size))
        std::memmove(shadow(destination), shadow(source), size);
}

}  // namespace softcuda
