// What a kernel did, counted over its launches.
#pragma once

#include <bitset>
#include <memory>
#include <unordered_map>

#include "base.h"
#include "exec/program.h"

namespace softcuda {

// Which 32-byte sectors of global memory were touched.
class SectorSet {
public:
    void insert(u64 sector);
    void add(const SectorSet& other);
    u64 size() const;

private:
    static constexpr u64 kPageSectors = 1 << 16;
    using Page = std::bitset<kPageSectors>;
    Page& page(u64 number);
    std::unordered_map<u64, std::unique_ptr<Page>> pages_;
    u64 lastNumber_ = ~u64{0};
    Page* last_ = nullptr;
};

struct Counters {
    u64 launches = 0;
    u64 classes[static_cast<int>(InstClass::count)] = {};  // warp instructions
    u64 laneInstructions = 0;
    u64 mmaFlops = 0;
    u64 globalLoadBytes = 0, globalStoreBytes = 0;        // asked for by active lanes
    u64 globalLoadSectors = 0, globalStoreSectors = 0;    // of 32 bytes, moved
    u64 globalLoadDistinct = 0, globalStoreDistinct = 0;  // of 32 bytes, each once a launch
    u64 globalRequests = 0;                               // warp-level global accesses
    u64 sharedAccesses = 0;                               // warp-level
    u64 sharedWavefronts = 0;                             // passes that the banks need; without conflicts: sharedIdeal
    u64 sharedIdeal = 0;
    u64 branches = 0, divergentBranches = 0;
    SectorSet loaded, stored;  // of the launch that runs
    void add(const Counters& other);
    // Turns the sets into numbers of sectors.
    void endLaunch();
};

// Adds what one launch counted to the sum of its kernel.
void addCounters(const std::string& kernel, const Counters& counters);
// Writes all sums as JSON to Settings::countFile; called at exit. Shares are of 1: coalescing = bytes asked for / bytes of the sectors
// moved, bankConflicts = passes / passes without conflicts, laneUse = active lanes / lanes.
void writeCounters();

}  // namespace softcuda
