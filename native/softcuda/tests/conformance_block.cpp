// Special registers, barriers of the block and of the warp, fences.
#include "conformance_kernel.h"

using namespace conformance;

namespace {

// --- Special registers ------------------------------------------------------------------------------------------------------------

struct Index {
    u32 x, y, z;
};
Index indexOf(u32 linear, Shape shape) { return {linear % shape.x, linear / shape.x % shape.y, linear / shape.x / shape.y}; }

std::string storeSpecials(const std::vector<const char*>& names) {
    std::string text;
    for (std::size_t k = 0; k < names.size(); k++)
        text += std::string("mov.u32 %r1, %") + names[k] + ";\nst.global.u32 [%out+" + std::to_string(4 * k) + "], %r1;\n";
    return text;
}

void positions(Shape block, Shape grid) {
    const std::vector<const char*> names = {"tid.x",   "tid.y",    "tid.z",    "ntid.x",   "ntid.y", "ntid.z", "ctaid.x", "ctaid.y",
                                            "ctaid.z", "nctaid.x", "nctaid.y", "nctaid.z", "laneid", "warpid", "nwarpid"};
    expect({.name = "positions in block and grid", .body = storeSpecials(names), .outWords = 15, .block = block, .grid = grid},
           [&](u32 t, u32 k) {
               u32 inBlock = t % block.count();
               Index thread = indexOf(inBlock, block), id = indexOf(t / block.count(), grid);
               const u32 want[] = {thread.x, thread.y, thread.z,     block.x,      block.y,
                                   block.z,  id.x,     id.y,         id.z,         grid.x,
                                   grid.y,   grid.z,   inBlock % 32, inBlock / 32, (block.count() + 31) / 32};
               return want[k];
           });
}

void laneMasks() {
    expect({.name = "lane masks and the block as its own cluster",
            .body = storeSpecials({"lanemask_eq", "lanemask_le", "lanemask_lt", "lanemask_ge", "lanemask_gt", "cluster_ctaid.x",
                                   "cluster_ctaid.z", "cluster_nctaid.x", "cluster_nctaid.y", "cluster_ctarank", "cluster_nctarank",
                                   "clusterid.x", "nclusterid.x", "nclusterid.y"}),
            .outWords = 14,
            .block = {40},
            .grid = {3}},
           [](u32 t, u32 k) {
               u32 eq = 1u << (t % 40 % 32), lt = eq - 1;
               const u32 want[] = {eq, lt | eq, lt, ~lt, ~(lt | eq), 0, 0, 1, 1, 0, 1, t / 40, 3, 1};
               return want[k];
           });
}

void sizesAndClocks() {
    expect({.name = "sizes of shared memory, clocks that go forward, multiprocessors in range",
            .body = R"(
        .shared .b32 fixed[25];
        mov.u32 %r1, %dynamic_smem_size;
        mov.u32 %r2, %total_smem_size;
        setp.ge.u32 %p1, %r2, 348;
        mov.u32 %r3, %smid;
        mov.u32 %r4, %nsmid;
        setp.lt.and.u32 %p1, %r3, %r4, %p1;
        mov.u64 %d1, %clock64;
        mov.u64 %d2, %globaltimer;
        mov.u32 %r5, %clock;
        mov.u32 %r5, %clock_hi;
        mov.u32 %r5, %globaltimer_lo;
        mov.u32 %r5, %globaltimer_hi;
        st.shared.u32 [fixed], %r5;
        mov.u64 %d3, %clock64;
        mov.u64 %d4, %globaltimer;
        setp.ge.and.u64 %p1, %d3, %d1, %p1;
        setp.ge.and.u64 %p1, %d4, %d2, %p1;
        mov.u32 %r6, %clock;
        mov.u32 %r7, %clock;
        sub.u32 %r7, %r7, %r6;
        setp.ge.and.s32 %p1, %r7, 0, %p1;
        selp.u32 %r8, 1, 0, %p1;
        st.global.v2.u32 [%out], {%r1, %r8};)",
            .outWords = 2,
            .block = {32},
            .dynamicShared = 248},
           [](u32, u32 k) { return k == 0 ? 248 : 1; });
}

void gridIds() {
    Kernel kernel{.name = "gridid", .body = "mov.u64 %d1, %gridid;\nst.global.u64 [%out], %d1;", .outWords = 2, .block = {1}, .grid = {1}};
    std::vector<u32> first = run(kernel), second = run(kernel);
    CHECK(first != second || first.empty(), "two launches have the same grid");
}

// --- Barriers of the block --------------------------------------------------------------------------------------------------------

const char* const kWords = ".shared .align 8 .b32 words[1024];";

// Every round each thread reads what its neighbour wrote in the round before.
void exchange(const char* barrier, Shape block) {
    u32 threads = block.count();
    std::string n = std::to_string(threads), body = R"(
        mov.u32 %r1, %own;
        mov.u32 %r10, %ntid.x;
        mov.u32 %r2, words;
        mad.lo.u32 %r3, %r1, 4, %r2;
        add.u32 %r4, %r1, 37;
        rem.u32 %r4, %r4, )" + n + R"(;
        mad.lo.u32 %r4, %r4, 4, %r2;
        mov.u32 %r5, %t;
        mov.u32 %r6, 0;
        mov.u32 %r9, 0;
    round:
        st.shared.u32 [%r3], %r5;
        )" + barrier + R"(;
        ld.shared.u32 %r7, [%r4];
        mad.lo.u32 %r5, %r5, 3, %r7;
        )" + barrier + R"(;
        add.u32 %r6, %r6, 1;
        setp.lt.u32 %p1, %r6, 6;
        @%p1 bra round;
        st.global.u32 [%out], %r5;)";
    std::vector<std::vector<u32>> want(2, std::vector<u32>(threads));
    for (u32 b = 0; b < 2; b++) {
        for (u32 t = 0; t < threads; t++) want[b][t] = b * threads + t;
        for (u32 round = 0; round < 6; round++) {
            std::vector<u32> before = want[b];
            for (u32 t = 0; t < threads; t++) want[b][t] = before[t] * 3 + before[(t + 37) % threads];
        }
    }
    std::string name = std::string(barrier) + " between all threads";
    expect({.name = name.c_str(), .body = body, .block = block, .module = kWords},
           [&](u32 t, u32) { return want[t / threads][t % threads]; });
}

void wholeBlock() {
    for (const char* barrier : {"bar.sync 0", "barrier.sync 0", "barrier.sync.aligned 3", "bar.cta.sync 15", "barrier.cta.sync.aligned 0",
                                "bar.sync %r9", "bar.sync 0, %r10"})
        exchange(barrier, {128});
    exchange("bar.sync 0", {5, 3, 2});
    exchange("barrier.sync 1", {33, 3, 2});
}

// Warps 0 and 1 meet at barrier 1, warps 2 and 3 at barrier 2, each at its own pace.
void namedBarriers() {
    expect({.name = "named barriers for parts of the block",
            .body = R"(
        shr.u32 %r1, %own, 6;
        add.u32 %r2, %r1, 1;
        mov.u32 %r3, words;
        mad.lo.u32 %r4, %own, 4, %r3;
        xor.b32 %r5, %own, 32;
        mad.lo.u32 %r5, %r5, 4, %r3;
        mul.lo.u32 %r6, %r1, 5;
        add.u32 %r6, %r6, 3;
        mov.u32 %r7, %own;
    round:
        st.shared.u32 [%r4], %r7;
        bar.sync %r2, 64;
        ld.shared.u32 %r8, [%r5];
        add.u32 %r7, %r8, 1;
        barrier.sync.aligned %r2, 64;
        sub.u32 %r6, %r6, 1;
        setp.ne.u32 %p1, %r6, 0;
        @%p1 bra round;
        st.global.u32 [%out], %r7;)",
            .block = {128},
            .module = kWords},
           [](u32 t, u32) {
               u32 tid = t % 128, rounds = tid / 64 * 5 + 3;
               return (rounds % 2 ? tid ^ 32 : tid) + rounds;
           });
}

// The first warp makes what the other two use: two barriers, full and empty.
void producer(const char* arrive, const char* sync) {
    std::string body = R"(
        mov.u32 %r1, words;
        mad.lo.u32 %r2, %lane, 4, %r1;
        mov.u32 %r3, 0;
        mov.u32 %r4, 0;
        setp.lt.u32 %p1, %own, 32;
        @!%p1 bra consumer;
    produce:
        setp.eq.u32 %p2, %r3, 0;
        @%p2 bra first;
        )" + std::string(sync) +
                       R"( 2, 96;
    first:
        mad.lo.u32 %r5, %r3, 100, %lane;
        st.shared.u32 [%r2], %r5;
        )" + arrive + R"( 1, 96;
        add.u32 %r3, %r3, 1;
        setp.lt.u32 %p2, %r3, 5;
        @%p2 bra produce;
        bra done;
    consumer:
        )" + sync + R"( 1, 96;
        ld.shared.u32 %r5, [%r2];
        mad.lo.u32 %r4, %r4, 7, %r5;
        add.u32 %r3, %r3, 1;
        setp.lt.u32 %p2, %r3, 5;
        @!%p2 bra done;
        )" + arrive + R"( 2, 96;
        bra consumer;
    done:
        st.global.u32 [%out], %r4;)";
    expect({.name = (std::string(arrive) + " and " + sync).c_str(), .body = body, .block = {96}, .module = kWords}, [](u32 t, u32) {
        u32 sum = 0;
        for (u32 k = 0; k < 5; k++) sum = sum * 7 + k * 100 + t % 96 % 32;
        return t % 96 < 32 ? 0 : sum;
    });
}

// Votes of a block in which `yes` threads hold the predicate.
void reductions(const char* prefix, const char* count, Shape block) {
    u32 threads = block.count();
    for (u32 yes : {0u, 1u, 17u, threads - 1, threads}) {
        std::string at = std::string(prefix), number = std::string(" 0") + count, body = R"(
        setp.lt.u32 %p1, %own, )" + std::to_string(yes) + ";\n";
        body += at + ".popc.u32 %r2," + number + ", %p1;\n" + at + ".popc.u32 %r3," + number + ", !%p1;\n";
        body += at + ".and.pred %p2," + number + ", %p1;\n" + at + ".or.pred %p3," + number + ", %p1;\n";
        body += at + ".and.pred %p4," + number + ", !%p1;\n" + at + ".or.pred %p5," + number + ", !%p1;\n";
        body += R"(
        selp.u32 %r4, 1, 0, %p2;
        @%p3 or.b32 %r4, %r4, 2;
        @%p4 or.b32 %r4, %r4, 4;
        @%p5 or.b32 %r4, %r4, 8;
        st.global.v4.u32 [%out], {%r2, %r3, %r4, %r4};)";
        expect({.name = (at + count).c_str(), .body = body, .outWords = 4, .block = block}, [&](u32, u32 k) {
            u32 no = threads - yes;
            return k == 0 ? yes : k == 1 ? no : (no == 0 ? 1 : 0) | (yes ? 2 : 0) | (yes == 0 ? 4 : 0) | (no ? 8 : 0);
        });
    }
}

void endedLanes() {
    expect({.name = "barrier of warps of which some lanes have ended",
            .body = R"(
        setp.gt.u32 %p1, %lane, 20;
        @%p1 exit;
        setp.ge.u32 %p2, %own, 5;
        bar.red.popc.u32 %r1, 0, %p2;
        st.global.u32 [%out], %r1;)",
            .block = {80}},
           [](u32 t, u32) {
               u32 inBlock = t % 80;
               return inBlock % 32 > 20 ? kUntouched : 21 + 21 + 16 - 5;
           });
}

// --- Barriers of the warp, fences -------------------------------------------------------------------------------------------------

void warpBarriers() {
    expect({.name = "bar.warp.sync of all lanes and of two diverged groups",
            .body = R"(
        mov.u32 %r1, words;
        mad.lo.u32 %r2, %own, 4, %r1;
        st.shared.u32 [%r2], %t;
        bar.warp.sync 0xffffffff;
        xor.b32 %r3, %own, 31;
        mad.lo.u32 %r3, %r3, 4, %r1;
        ld.shared.u32 %r4, [%r3];
        mov.u32 %r8, -1;
        bar.warp.sync %r8;
        setp.lt.u32 %p1, %lane, 12;
        @%p1 bra low;
        st.shared.u32 [%r2], %r4;
        bar.warp.sync 0xfffff000;
        xor.b32 %r5, %own, 1;
        mad.lo.u32 %r5, %r5, 4, %r1;
        ld.shared.u32 %r6, [%r5];
        bra join;
    low:
        st.shared.u32 [%r2], %lane;
        bar.warp.sync 0x00000fff;
        xor.b32 %r5, %own, 3;
        mad.lo.u32 %r5, %r5, 4, %r1;
        ld.shared.u32 %r6, [%r5];
    join:
        bar.warp.sync 0xffffffff;
        st.global.v2.u32 [%out], {%r4, %r6};)",
            .outWords = 2,
            .module = kWords},
           [](u32 t, u32 k) {
               u32 lane = t % 32;
               return k == 0 ? t ^ 31 : lane < 12 ? lane ^ 3 : (t ^ 1) ^ 31;
           });
}

void fences() {
    for (const char* fence :
         {"membar.cta", "membar.gl", "membar.sys", "fence.acq_rel.cta", "fence.acq_rel.gpu", "fence.acq_rel.sys", "fence.acq_rel.cluster",
          "fence.sc.cta", "fence.sc.gpu", "fence.sc.sys", "fence.gpu", "fence.proxy.async", "fence.proxy.alias", "nanosleep.u32 20",
          "fence.mbarrier_init.release.cluster", "fence.proxy.async.shared::cta", "fence.proxy.async.global"}) {
        std::string body = std::string("setp.lt.u32 %p1, %lane, 5;\n@%p1 ") + fence + ";\n" + fence +
                           ";\nst.global.u32 [%out], %t;\n@!%p1 bra skip;\n" + fence +
                           ";\nadd.u32 %r1, %t, 1;\nst.global.u32 [%out], %r1;\nskip:";
        expect({.name = fence, .body = body}, [](u32 t, u32) { return t % 32 < 5 ? t + 1 : t; });
    }
}

void all() {
    positions({5, 3, 2}, {3, 2, 2});
    positions({1, 1, 64}, {1, 3, 1});
    positions({96}, {4});
    positions({7, 9}, {1, 1, 5});
    laneMasks();
    sizesAndClocks();
    gridIds();
    wholeBlock();
    namedBarriers();
    producer("bar.arrive", "bar.sync");
    producer("barrier.arrive.aligned", "barrier.sync.aligned");
    producer("barrier.cta.arrive", "barrier.cta.sync");
    reductions("bar.red", "", {96});
    reductions("bar.red", ", 96", {96});
    reductions("barrier.red", "", {5, 3, 2});
    reductions("barrier.cta.red.aligned", "", {45});
    reductions("barrier.red.aligned", "", {11, 7});
    endedLanes();
    warpBarriers();
    fences();
}

}  // namespace

int main() { return inEveryMode("special registers and barriers", all); }
