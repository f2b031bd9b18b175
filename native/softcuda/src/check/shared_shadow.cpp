// Every byte of shared memory has two tags, for its last write and its last read: when (a time that moves on at barriers, one that moves on
// at warp-synchronising instructions), who (warp, lane), how. Tags of the same warp and time need no look at each byte's history: an access
// whose tags are all older than the last barrier passes at once.
#include "shared_shadow.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "../memory/device_memory.h"
#include "checker.h"

namespace softcuda {
namespace {

// A tag: time (22 bits), warp time (26), warp (5), lane (5), flags (6); 0: never. Greater times make greater tags.
constexpr u32 kTimeShift = 42, kWarpTimeShift = 16, kWarpShift = 11, kLaneShift = 6;
constexpr u32 kMaxTime = (1u << 22) - 1, kMaxWarpTime = (1u << 26) - 1;
constexpr u64 kWritten = 1;
constexpr u64 kManyWarps = 2;          // of a read: other warps read at that time too
constexpr u64 kManyLanes = 4;          // other lanes of this warp read at that warp time too
constexpr u64 kStrong = 8;             // no race with another strong access
constexpr u32 kStrongRead = 1u << 31;  // of a time in BlockShadow::readTimes
constexpr u64 kInFlight = 16;          // of a write: a cp.async that has not landed

u32 timeOf(u64 tag) { return static_cast<u32>(tag >> kTimeShift); }
u32 warpTimeOf(u64 tag) { return static_cast<u32>(tag >> kWarpTimeShift) & kMaxWarpTime; }
u32 warpOf(u64 tag) { return static_cast<u32>(tag >> kWarpShift) & 31; }
u32 laneOf(u64 tag) { return static_cast<u32>(tag >> kLaneShift) & 31; }
u64 startOf(u32 time) { return static_cast<u64>(time) << kTimeShift; }

// How far the lanes of a warp have been ordered among each other.
struct WarpOrder {
    u32 time = 0;        // moves on at each meeting
    u32 floor = 0;       // accesses of earlier times are ordered for all lanes
    bool pairs = false;  // some lanes met without the others: `known` counts
    u32 known[kLanes][kLanes] = {};

    bool ordered(u32 lane, u32 other, u32 when) const { return when < floor || (pairs && when < known[lane][other]); }
};

using Clock = std::vector<u32>;  // for each warp: its accesses before this time are known

}  // namespace

struct BlockShadow {
    std::vector<u64> writes, reads;
    u32 bytes = 0, warpCount = 0;
    bool partial = false;
    u32 start = 1;  // tags before belong to an earlier block
    u32 time = 1;
    std::vector<WarpOrder> order;
    // Where barriers are partial: what each warp and each object knows of the others; when each warp read each byte last.
    std::vector<Clock> known;
    std::map<u32, Clock> objects;
    std::vector<u32> readTimes;  // [warp][byte], with kStrongRead

    u64 tag(u32 warp, u32 lane) const {
        return startOf(time) | static_cast<u64>(order[warp].time) << kWarpTimeShift | static_cast<u64>(warp) << kWarpShift |
               static_cast<u64>(lane) << kLaneShift | kWritten;
    }
    // Before this time, all that `warp` did is known to `me`.
    u32 floor(u32 me, u32 warp) const { return partial ? known[me][warp] : time; }
    // Before this time everything is known to `me`.
    u32 floor(u32 me) const { return partial ? *std::min_element(known[me].begin(), known[me].end()) : time; }

    void advance();
    void rebase();
};

// Times have run out of bits: all that happened so far counts as ordered.
void BlockShadow::rebase() {
    for (auto* tags : {&writes, &reads})
        for (u64& tag : *tags) tag = tag < startOf(start) ? 0 : (tag & ((1ull << kWarpTimeShift) - 1)) | startOf(1);
    std::fill(readTimes.begin(), readTimes.end(), 0);
    start = 1;
    time = 2;
    for (WarpOrder& warp : order) warp = {};
    for (Clock& clock : known) std::fill(clock.begin(), clock.end(), time);
    objects.clear();
}

void BlockShadow::advance() {
    if (++time >= kMaxTime) rebase();
}

namespace {

std::string byteText(u64 offset) { return "byte " + std::to_string(offset) + " of shared memory"; }

// One lane's access to one byte, looked at closely.
class ByteCheck {
public:
    ByteCheck(BlockShadow& shadow, Warp& w, const Inst* i, u32 lane, Access access)
        : shadow_(shadow), w_(w), inst_(i), lane_(lane), access_(access) {}

    // Whether the byte may be touched; tells a finding otherwise.
    bool passes(u64 at) const {
        u64 write = shadow_.writes[at];
        bool written = write >= startOf(shadow_.start);
        if (reads(access_) && !written) {
            tell(Finding::uninitialized, w_, inst_, lane_, byteText(at) + " was never written");
            return false;
        }
        if (written && (write & kInFlight)) {
            tell(Finding::missingWait, w_, inst_, lane_,
                 byteText(at) + " is the target of a cp.async of " + who(write) + " that has not been waited for");
            return false;
        }
        if (written && !bothStrong(write) && unordered(write, false)) return race(at, write, "write");
        if (!writes(access_)) return true;
        u64 read = shadow_.reads[at];
        if (read >= startOf(shadow_.start) && !bothStrong(read) && unordered(read, true)) return race(at, read, "read");
        return shadow_.partial ? passesReaders(at) : true;
    }

private:
    bool bothStrong(u64 tag) const { return isStrong(access_) && (tag & kStrong); }

    bool unordered(u64 tag, bool read) const {
        u32 me = w_.index, other = warpOf(tag), when = timeOf(tag);
        if (other != me) return !(read && shadow_.partial) && when >= shadow_.floor(me, other);
        if (when < shadow_.floor(me, me)) return false;
        if (read && (tag & kManyWarps) && !shadow_.partial) return true;
        if (laneOf(tag) == lane_ && !(read && (tag & kManyLanes))) return false;
        return !shadow_.order[me].ordered(lane_, laneOf(tag), warpTimeOf(tag));
    }

    // Where barriers are partial, each warp's last read is looked at by itself.
    bool passesReaders(u64 at) const {
        for (u32 k = 0; k < shadow_.warpCount; k++) {
            u32 entry = shadow_.readTimes[static_cast<std::size_t>(k) * shadow_.bytes + at], when = entry & ~kStrongRead;
            if (k == w_.index || when < shadow_.start || when < shadow_.floor(w_.index, k)) continue;
            if (isStrong(access_) && (entry & kStrongRead)) continue;
            tell(Finding::sharedRace, w_, inst_, lane_, byteText(at) + " is written while warp " + std::to_string(k) + " may read it");
            return false;
        }
        return true;
    }

    static std::string who(u64 tag) { return "warp " + std::to_string(warpOf(tag)) + ", lane " + std::to_string(laneOf(tag)); }

    bool race(u64 at, u64 tag, const char* earlier) const {
        const char* now = !writes(access_) ? "read" : !reads(access_) ? "write" : "atomic access";
        const char* missing = warpOf(tag) == w_.index ? "no warp-level synchronisation" : "no barrier";
        tell(Finding::sharedRace, w_, inst_, lane_,
             byteText(at) + ": this " + now + " and the " + earlier + " of " + who(tag) + " have " + missing + " between them");
        return false;
    }

    BlockShadow& shadow_;
    Warp& w_;
    const Inst* inst_;
    u32 lane_;
    Access access_;
};

// The tag of a byte after another read: who else read it and is not ordered yet is not forgotten.
u64 mergeRead(const BlockShadow& shadow, u64 old, u64 tag) {
    u32 me = warpOf(tag);
    if (timeOf(old) < std::max(shadow.start, shadow.floor(me, me))) return tag;
    u64 merged = old & kStrong ? tag : tag & ~kStrong;
    if (warpOf(old) != me) return merged | kManyWarps;
    merged |= old & kManyWarps;
    if (warpTimeOf(old) == warpTimeOf(tag)) merged |= (old & kManyLanes) | (laneOf(old) != laneOf(tag) ? kManyLanes : 0);
    return merged;
}

void recordRead(BlockShadow& shadow, u32 warp, u64 offset, u32 bytes, u64 tag) {
    u64* tags = &shadow.reads[offset];
    u64 last = tags[0], merged = mergeRead(shadow, last, tag);
    for (u32 k = 0; k < bytes; k++) {
        if (tags[k] != last) {
            last = tags[k];
            merged = mergeRead(shadow, last, tag);
        }
        tags[k] = merged;
    }
    if (shadow.partial) {
        u32* times = &shadow.readTimes[static_cast<std::size_t>(warp) * shadow.bytes + offset];
        std::fill(times, times + bytes, tag & kStrong ? shadow.time | kStrongRead : shadow.time);
    }
}

// Whether all bytes were written and everything done to them is older than `floor`.
bool quiet(const BlockShadow& shadow, u64 offset, u32 bytes, u64 floor, Access access) {
    const u64 *written = &shadow.writes[offset], *read = &shadow.reads[offset];
    u64 least = ~0ull, most = 0, flags = 0;
    for (u32 k = 0; k < bytes; k++) {
        least = std::min(least, written[k]);
        most = std::max(most, written[k]);
        flags |= written[k];
    }
    if (writes(access))
        for (u32 k = 0; k < bytes; k++) most = std::max(most, read[k]);
    bool ready = !reads(access) || least >= startOf(shadow.start);
    // In-flight marks of an earlier block do not count, but are rare enough to be looked at closely.
    return ready && most < floor && !(flags & kInFlight);
}

// Whether another lane of this very instruction writes the same value to the byte.
bool sameValue(u64 at, u32 lane, u64 tag, u32 mask, const u64* offsets, u32 bytes, const u8* values) {
    u32 other = laneOf(tag);
    if (values == nullptr || other >= lane || !(mask >> other & 1) || at - offsets[other] >= bytes) return false;
    return values[other * bytes + (at - offsets[other])] == values[lane * bytes + (at - offsets[lane])];
}

}  // namespace

BlockShadow* newBlockShadow() { return new BlockShadow; }
void deleteBlockShadow(BlockShadow* shadow) { delete shadow; }

void resetBlockShadow(BlockShadow* shadow, u32 sharedBytes, u32 warpCount, bool partialBarriers) {
    BlockShadow& s = *shadow;
    if (s.bytes != sharedBytes || s.warpCount != warpCount || s.partial != partialBarriers) {
        s = {};
        s.bytes = sharedBytes;
        s.warpCount = warpCount;
        s.partial = partialBarriers;
        s.writes.resize(sharedBytes);
        s.reads.resize(sharedBytes);
        s.order.resize(warpCount);
        if (partialBarriers) {
            s.known.assign(warpCount, Clock(warpCount));
            s.readTimes.resize(static_cast<std::size_t>(warpCount) * sharedBytes);
        }
    }
    s.advance();
    s.start = s.time;
    s.objects.clear();
    for (WarpOrder& warp : s.order) {
        warp.time = warp.floor = 0;
        if (warp.pairs) warp = {};
    }
    for (Clock& clock : s.known) std::fill(clock.begin(), clock.end(), s.start);
}

void poisonShared(u8* shared, u32 bytes) { std::memset(shared, kPoison, bytes); }

void checkShared(BlockShadow* shadow, Warp& w, const Inst* i, u32 mask, const u64* offsets, u32 bytes, Access access, const u8* values) {
    BlockShadow& s = *shadow;
    u64 floor = startOf(s.floor(w.index)), flags = isStrong(access) ? kStrong : 0;
    for (u32 rest = mask; rest != 0; rest &= rest - 1) {
        u32 lane = static_cast<u32>(__builtin_ctz(rest));
        u64 offset = offsets[lane], tag = s.tag(w.index, lane) | flags;
        if (!quiet(s, offset, bytes, floor, access)) {
            ByteCheck check(s, w, i, lane, access);
            for (u64 at = offset; at < offset + bytes; at++)
                if (!(warpOf(s.writes[at]) == w.index && sameValue(at, lane, s.writes[at], mask, offsets, bytes, values)) &&
                    !check.passes(at))
                    break;
        }
        if (!writes(access))
            recordRead(s, w.index, offset, bytes, tag);
        else
            std::fill(&s.writes[offset], &s.writes[offset] + bytes, tag);
    }
}

void beginCopy(BlockShadow* shadow, u64 offset, u32 bytes) {
    for (u32 k = 0; k < bytes; k++) shadow->writes[offset + k] |= kInFlight;
}

void landCopy(BlockShadow* shadow, const Warp& w, u32 lane, u64 offset, u32 bytes) {
    std::fill(&shadow->writes[offset], &shadow->writes[offset] + bytes, shadow->tag(w.index, lane));
}

void releaseTo(BlockShadow* shadow, u32 warp, u32 object) {
    BlockShadow& s = *shadow;
    if (!s.partial) return;
    s.advance();
    Clock& clock = s.objects[object];
    clock.resize(s.warpCount);
    for (u32 k = 0; k < s.warpCount; k++) clock[k] = std::max(clock[k], s.known[warp][k]);
    clock[warp] = s.time;
}

void acquireFrom(BlockShadow* shadow, u32 warp, u32 object) {
    BlockShadow& s = *shadow;
    auto clock = s.objects.find(object);
    if (clock == s.objects.end()) return;
    for (u32 k = 0; k < s.warpCount; k++) s.known[warp][k] = std::max(s.known[warp][k], clock->second[k]);
}

void orderAtBarrier(BlockShadow* shadow, u32 index, u32 waiting) {
    BlockShadow& s = *shadow;
    if (!s.partial) return s.advance();
    for (u32 k = 0; k < s.warpCount; k++)
        if (waiting >> k & 1) acquireFrom(shadow, k, barrierObject(index));
    s.objects.erase(barrierObject(index));
}

void orderInWarp(BlockShadow* shadow, Warp& w, u32 mask) {
    WarpOrder& order = shadow->order[w.index];
    if (order.time + 1 >= kMaxWarpTime) shadow->rebase();
    order.time++;
    if ((w.lanes & ~w.exited & ~mask) == 0) {
        order.floor = order.time;
        return;
    }
    order.pairs = true;
    for (u32 a = mask; a != 0; a &= a - 1)
        for (u32 b = mask; b != 0; b &= b - 1) order.known[__builtin_ctz(a)][__builtin_ctz(b)] = order.time;
}

}  // namespace softcuda
