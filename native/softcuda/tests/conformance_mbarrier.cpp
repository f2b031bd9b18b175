// mbarriers: phases by state and by parity, counts, transactions, threads that drop out, arrival of asynchronous copies.
#include "conformance_kernel.h"

using namespace conformance;

namespace {

// The thread of index 0 makes an mbarrier for `count` arrivals at [bar]; then all may use it. %r1 is its address, %r2 that of `words`.
std::string initialised(u32 count) {
    return ".shared .align 8 .b64 bar;\n.shared .align 16 .b32 words[512];\nmov.u32 %r1, bar;\nmov.u32 %r2, words;\n"
           "setp.eq.u32 %p1, %own, 0;\n@%p1 mbarrier.init.shared.b64 [%r1], " +
           std::to_string(count) + ";\nbar.sync 0;\n";
}

void phases() {
    // Every thread arrives once a phase and waits; each reads what another warp wrote in this phase.
    for (const char* wait : {"mbarrier.test_wait.shared.b64 %p2, [%r1], %d1", "mbarrier.try_wait.shared.b64 %p2, [%r1], %d1",
                             "mbarrier.test_wait.parity.shared.b64 %p2, [%r1], %r5", "mbarrier.try_wait.parity.shared.b64 %p2, [%r1], %r5",
                             "mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 %p2, [%r1], %r5, 1000"}) {
        std::string body = initialised(96) + R"(
        mov.u32 %r4, 0;
        mov.u32 %r7, %own;
        mad.lo.u32 %r10, %own, 4, %r2;
        add.u32 %r11, %own, 40;
        rem.u32 %r11, %r11, 96;
        mad.lo.u32 %r11, %r11, 4, %r2;
    phase:
        and.b32 %r5, %r4, 1;
        mad.lo.u32 %r12, %r5, 512, %r10;
        st.shared.u32 [%r12], %r7;
        mbarrier.arrive.shared.b64 %d1, [%r1];
    again:
        )" + wait + R"(;
        @!%p2 bra again;
        mad.lo.u32 %r12, %r5, 512, %r11;
        ld.shared.u32 %r8, [%r12];
        mad.lo.u32 %r7, %r7, 3, %r8;
        add.u32 %r4, %r4, 1;
        setp.lt.u32 %p3, %r4, 5;
        @%p3 bra phase;
        st.global.u32 [%out], %r7;)";
        std::vector<u32> want(96);
        for (u32 t = 0; t < 96; t++) want[t] = t;
        for (u32 phase = 0; phase < 5; phase++) {
            std::vector<u32> before = want;
            for (u32 t = 0; t < 96; t++) want[t] = before[t] * 3 + before[(t + 40) % 96];
        }
        expect({.name = wait, .body = body, .block = {96}}, [&](u32 t, u32) { return want[t % 96]; });
    }
}

// One thread looks at the barrier's state while it arrives again and again.
void counts() {
    expect({.name = "arrivals with counts, pending counts, completion",
            .body = initialised(5) + R"(
        mov.u32 %r20, 0;
        mbarrier.arrive.shared::cta.b64 %d1, [%r1];
        mbarrier.pending_count.b64 %r21, %d1;
        mbarrier.arrive.noComplete.release.cta.shared.b64 %d2, [%r1], 2;
        mbarrier.pending_count.b64 %r22, %d2;
        mbarrier.test_wait.shared.b64 %p2, [%r1], %d2;
        selp.u32 %r23, 1, 0, %p2;
        mbarrier.test_wait.parity.shared.b64 %p2, [%r1], 1;
        @%p2 add.u32 %r23, %r23, 2;
        mbarrier.arrive.shared.b64 _, [%r1], 2;
        mbarrier.test_wait.shared.b64 %p2, [%r1], %d2;
        @%p2 add.u32 %r23, %r23, 4;
        mbarrier.test_wait.parity.shared.b64 %p2, [%r1], 0;
        @%p2 add.u32 %r23, %r23, 8;
        mbarrier.test_wait.parity.shared.b64 %p2, [%r1], 1;
        @%p2 add.u32 %r23, %r23, 16;
        mbarrier.arrive.shared.b64 %d3, [%r1], 4;
        mbarrier.pending_count.b64 %r24, %d3;
        mbarrier.inval.shared.b64 [%r1];
        st.global.v4.u32 [%out], {%r21, %r22, %r23, %r24};)",
            .outWords = 4,
            .block = {1}},
           [](u32, u32 k) {
               const u32 want[] = {5, 4, 2 + 4 + 8, 5};
               return want[k];
           });
    expect({.name = "threads that drop out", .body = initialised(64) + R"(
        setp.ge.u32 %p2, %own, 32;
        @%p2 bra leave;
        mbarrier.arrive.shared.b64 %d1, [%r1];
    one:
        mbarrier.try_wait.shared.b64 %p3, [%r1], %d1;
        @!%p3 bra one;
        mbarrier.arrive.shared.b64 %d1, [%r1];
    two:
        mbarrier.try_wait.shared.b64 %p3, [%r1], %d1;
        @!%p3 bra two;
        mbarrier.arrive.shared.b64 %d1, [%r1];
        st.global.u32 [%out], 3;
        ret;
    leave:
        mbarrier.arrive_drop.shared.b64 %d1, [%r1];
        st.global.u32 [%out], 1;)"},
           [](u32 t, u32) { return t % 64 < 32 ? 3 : 1; });
}

void transactions() {
    expect({.name = "expected and completed transactions",
            .body = initialised(2) + R"(
        mov.u32 %r20, 0;
        mbarrier.arrive.expect_tx.shared.b64 %d1, [%r1], 100;
        mbarrier.expect_tx.relaxed.cta.shared.b64 [%r1], 28;
        mbarrier.arrive.shared.b64 %d2, [%r1];
        mbarrier.test_wait.shared.b64 %p2, [%r1], %d2;
        @%p2 add.u32 %r20, %r20, 1;
        mbarrier.complete_tx.relaxed.cta.shared.b64 [%r1], 64;
        mbarrier.test_wait.shared.b64 %p2, [%r1], %d2;
        @%p2 add.u32 %r20, %r20, 2;
        mbarrier.complete_tx.shared.b64 [%r1], 64;
        mbarrier.test_wait.shared.b64 %p2, [%r1], %d2;
        @%p2 add.u32 %r20, %r20, 4;
        mbarrier.arrive.expect_tx.release.cta.shared.b64 _, [%r1], 0;
        mbarrier.arrive.shared.b64 %d2, [%r1];
        mbarrier.test_wait.shared.b64 %p2, [%r1], %d2;
        @%p2 add.u32 %r20, %r20, 8;
        st.global.u32 [%out], %r20;)",
            .block = {1}},
           [](u32, u32) { return 4 + 8; });
}

// Copies of all threads arrive at the barrier; with .noinc its count includes them.
void copies(bool counted) {
    std::vector<u32> in = randomWords(128, 9);
    std::string form = std::string("cp.async.mbarrier.arrive") + (counted ? ".noinc" : "") + ".shared.b64";
    expect({.name = form.c_str(),
            .body = initialised(64) + R"(
        mad.lo.u32 %r3, %own, 4, %r2;
        cp.async.ca.shared.global [%r3], [%in], 4;
        )" + form + " [%r1];\n" +
                    (counted ? "" : "mbarrier.arrive.shared.b64 %d1, [%r1];\n") + R"(
    again:
        mbarrier.try_wait.parity.shared.b64 %p2, [%r1], 0;
        @!%p2 bra again;
        xor.b32 %r4, %own, 45;
        mad.lo.u32 %r4, %r4, 4, %r2;
        ld.shared.u32 %r5, [%r4];
        st.global.u32 [%out], %r5;)",
            .in = in},
           [&](u32 t, u32) { return in[t / 64 * 64 + (t % 64 ^ 45)]; });
}

void all() {
    phases();
    counts();
    transactions();
    copies(true);
    copies(false);
}

}  // namespace

int main() { return inEveryMode("mbarriers", all); }
