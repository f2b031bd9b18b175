// Sums of what kernels did, and their JSON.
#include "counters.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "check/checker.h"

namespace softcuda {
namespace {

struct Sums {
    std::mutex mutex;
    std::map<std::string, Counters> kernels;
    static Sums& get() {
        static Sums* sums = new Sums;
        return *sums;
    }
};

double share(u64 part, u64 whole, double none) { return whole == 0 ? none : static_cast<double>(part) / static_cast<double>(whole); }

std::string field(const char* name, u64 value) { return std::string(", \"") + name + "\": " + std::to_string(value); }

std::string field(const char* name, double value) {
    char text[64];
    std::snprintf(text, sizeof text, ", \"%s\": %.6g", name, value);
    return text;
}

std::string json(const std::string& name, const Counters& c) {
    u64 instructions = 0;
    std::string classes;
    for (int k = 0; k < static_cast<int>(InstClass::count); k++) {
        instructions += c.classes[k];
        classes += (k == 0 ? "\"" : ", \"") + std::string(nameOf(static_cast<InstClass>(k))) + "\": " + std::to_string(c.classes[k]);
    }
    return "  {\"kernel\": \"" + name + "\"" + field("launches", c.launches) + field("warpInstructions", instructions) +
           field("laneInstructions", c.laneInstructions) + field("laneUse", share(c.laneInstructions, instructions * kLanes, 1)) +
           ",\n   \"classes\": {" + classes + "}" + field("mmaFlops", c.mmaFlops) +
           ",\n   \"globalLoadBytes\": " + std::to_string(c.globalLoadBytes) + field("globalStoreBytes", c.globalStoreBytes) +
           field("globalLoadSectors", c.globalLoadSectors) + field("globalStoreSectors", c.globalStoreSectors) +
           field("globalLoadDistinct", c.globalLoadDistinct) + field("globalStoreDistinct", c.globalStoreDistinct) +
           field("globalRequests", c.globalRequests) +
           field("coalescing", share(c.globalLoadBytes + c.globalStoreBytes, 32 * (c.globalLoadSectors + c.globalStoreSectors), 1)) +
           ",\n   \"sharedAccesses\": " + std::to_string(c.sharedAccesses) + field("sharedWavefronts", c.sharedWavefronts) +
           field("sharedIdeal", c.sharedIdeal) + field("bankConflicts", share(c.sharedWavefronts, c.sharedIdeal, 1)) +
           field("branches", c.branches) + field("divergentBranches", c.divergentBranches) + "}";
}

}  // namespace

SectorSet::Page& SectorSet::page(u64 number) {
    if (number != lastNumber_) {
        std::unique_ptr<Page>& found = pages_[number];
        if (!found) found = std::make_unique<Page>();
        lastNumber_ = number;
        last_ = found.get();
    }
    return *last_;
}

void SectorSet::insert(u64 sector) { page(sector / kPageSectors).set(sector % kPageSectors); }

void SectorSet::add(const SectorSet& other) {
    for (const auto& [number, sectors] : other.pages_) page(number) |= *sectors;
}

u64 SectorSet::size() const {
    u64 sectors = 0;
    for (const auto& [number, page] : pages_) sectors += page->count();
    return sectors;
}

void Counters::add(const Counters& other) {
    launches += other.launches;
    for (int k = 0; k < static_cast<int>(InstClass::count); k++) classes[k] += other.classes[k];
    laneInstructions += other.laneInstructions;
    mmaFlops += other.mmaFlops;
    globalLoadBytes += other.globalLoadBytes;
    globalStoreBytes += other.globalStoreBytes;
    globalLoadSectors += other.globalLoadSectors;
    globalStoreSectors += other.globalStoreSectors;
    globalLoadDistinct += other.globalLoadDistinct;
    globalStoreDistinct += other.globalStoreDistinct;
    loaded.add(other.loaded);
    stored.add(other.stored);
    globalRequests += other.globalRequests;
    sharedAccesses += other.sharedAccesses;
    sharedWavefronts += other.sharedWavefronts;
    sharedIdeal += other.sharedIdeal;
    branches += other.branches;
    divergentBranches += other.divergentBranches;
}

void Counters::endLaunch() {
    globalLoadDistinct += loaded.size();
    globalStoreDistinct += stored.size();
    loaded = SectorSet();
    stored = SectorSet();
}

void addCounters(const std::string& kernel, const Counters& counters) {
    static const int registered = std::atexit(writeCounters);
    (void)registered;
    Sums& sums = Sums::get();
    std::lock_guard<std::mutex> lock(sums.mutex);
    sums.kernels[kernel].add(counters);
}

void writeCounters() {
    Sums& sums = Sums::get();
    std::lock_guard<std::mutex> lock(sums.mutex);
    std::FILE* file = std::fopen(settings().countFile.c_str(), "w");
    if (file == nullptr) {
        std::fprintf(stderr, "softcuda: cannot write the counters to %s\n", settings().countFile.c_str());
        return;
    }
    std::string text = "[\n";
    for (const auto& [name, counters] : sums.kernels) text += (text.size() > 2 ? ",\n" : "") + json(name, counters);
    std::fputs((text + "\n]\n").c_str(), file);
    std::fclose(file);
}

}  // namespace softcuda
