// Branches, loops, early exits, tables of targets, guards, and where diverged lanes meet again.
#include "conformance_kernel.h"

using namespace conformance;

namespace {

void branches() {
    expect({.name = "bra, divergent if and else", .body = R"(
        and.b32 %r1, %t, 1;
        setp.eq.u32 %p1, %r1, 0;
        @%p1 bra even;
        mul.lo.u32 %r2, %t, 3;
        bra.uni join;
    even:
        add.u32 %r2, %t, 1000;
    join:
        add.u32 %r2, %r2, 7;
        st.global.u32 [%out], %r2;)"},
           [](u32 t, u32) { return (t & 1 ? t * 3 : t + 1000) + 7; });
    expect({.name = "bra under a negated guard, uniform in each warp", .body = R"(
        shr.u32 %r1, %t, 5;
        setp.ge.u32 %p1, %r1, 2;
        mov.u32 %r2, 1;
        @!%p1 bra.uni low;
        mov.u32 %r2, 2;
    low:
        st.global.u32 [%out], %r2;)"},
           [](u32 t, u32) { return t / 32 >= 2 ? 2 : 1; });
    expect({.name = "bra, nested three deep",
            .body = R"(
        mov.u32 %r2, 0;
        and.b32 %r3, %t, 1;
        setp.ne.u32 %p1, %r3, 0;
        and.b32 %r3, %t, 2;
        setp.ne.u32 %p2, %r3, 0;
        and.b32 %r3, %t, 4;
        setp.ne.u32 %p3, %r3, 0;
        @%p1 bra a1;
        add.u32 %r2, %r2, 1;
        @%p2 bra b1;
        add.u32 %r2, %r2, 10;
        @!%p3 bra c1;
        add.u32 %r2, %r2, 100;
    c1: bra b2;
    b1: add.u32 %r2, %r2, 1000;
        @%p3 bra b2;
        add.u32 %r2, %r2, 5000;
    b2: bra a2;
    a1: add.u32 %r2, %r2, 10000;
        @!%p2 bra a2;
        add.u32 %r2, %r2, 100000;
    a2: st.global.u32 [%out], %r2;)",
            .block = {37}},
           [](u32 t, u32) {
               if (t & 1) return t & 2 ? 110000 : 10000;
               if (t & 2) return t & 4 ? 1001 : 6001;
               return t & 4 ? 111 : 11;
           });
    expect({.name = "(a && b) || !c by branches", .body = R"(
        and.b32 %r1, %t, 1;
        setp.ne.u32 %p1, %r1, 0;
        and.b32 %r1, %t, 8;
        setp.ne.u32 %p2, %r1, 0;
        and.b32 %r1, %t, 16;
        setp.ne.u32 %p3, %r1, 0;
        @!%p1 bra or;
        @%p2 bra yes;
    or: @%p3 bra no;
    yes: mov.u32 %r2, 1;
        bra done;
    no: mov.u32 %r2, 0;
    done: st.global.u32 [%out], %r2;)"},
           [](u32 t, u32) { return ((t & 1) && (t & 8)) || !(t & 16); });
}

u32 collatz(u32 x) {
    u32 steps = 0;
    for (; x != 1; steps++) x = x % 2 ? 3 * x + 1 : x / 2;
    return steps;
}

void loops() {
    expect({.name = "loop with as many rounds as the lane needs",
            .body = R"(
        add.u32 %r1, %t, 1;
        mov.u32 %r2, 0;
    head:
        setp.eq.u32 %p1, %r1, 1;
        @%p1 bra done;
        and.b32 %r3, %r1, 1;
        setp.eq.u32 %p2, %r3, 0;
        add.u32 %r2, %r2, 1;
        @%p2 bra half;
        mad.lo.u32 %r1, %r1, 3, 1;
        bra head;
    half:
        shr.u32 %r1, %r1, 1;
        bra head;
    done:
        st.global.u32 [%out], %r2;)",
            .block = {100},
            .grid = {3}},
           [](u32 t, u32) { return collatz(t + 1); });
    expect({.name = "nested loops with continue, break and break of both", .body = R"(
        mov.u32 %r1, 0;
        mov.u32 %r5, 0;
    outer:
        mov.u32 %r2, 0;
    inner:
        add.u32 %r3, %r1, %r2;
        add.u32 %r3, %r3, %t;
        rem.u32 %r4, %r3, 3;
        setp.eq.u32 %p1, %r4, 0;
        @%p1 bra next;
        rem.u32 %r4, %r3, 11;
        setp.eq.u32 %p2, %r4, 10;
        @%p2 bra break1;
        mul.lo.u32 %r4, %r1, %r2;
        setp.gt.u32 %p3, %r4, 30;
        @%p3 bra break2;
        mad.lo.u32 %r5, %r5, 5, %r3;
    next:
        add.u32 %r2, %r2, 1;
        setp.lt.u32 %p4, %r2, 9;
        @%p4 bra inner;
    break1:
        xor.b32 %r5, %r5, 85;
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p4, %r1, 8;
        @%p4 bra outer;
    break2:
        st.global.u32 [%out], %r5;)"},
           [](u32 t, u32) {
               u32 sum = 0;
               for (u32 i = 0; i < 8; i++) {
                   for (u32 j = 0; j < 9; j++) {
                       u32 x = i + j + t;
                       if (x % 3 == 0) continue;
                       if (x % 11 == 10) break;
                       if (i * j > 30) return sum;
                       sum = sum * 5 + x;
                   }
                   sum ^= 85;
               }
               return sum;
           });
    expect({.name = "loop of more rounds than a warp's turn", .body = R"(
        mov.u32 %r1, 0;
        mov.u32 %r2, %t;
    head:
        mad.lo.u32 %r2, %r2, 1664525, 1013904223;
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p1, %r1, 5000;
        @%p1 bra head;
        st.global.u32 [%out], %r2;)"},
           [](u32 t, u32) {
               for (u32 i = 0; i < 5000; i++) t = t * 1664525 + 1013904223;
               return t;
           });
    expect({.name = "loop entered in the middle and at its head", .body = R"(
        mov.u32 %r1, 0;
        mov.u32 %r2, %t;
        and.b32 %r3, %t, 3;
        setp.eq.u32 %p1, %r3, 1;
        @%p1 bra middle;
    head:
        mad.lo.u32 %r2, %r2, 3, 1;
    middle:
        add.u32 %r2, %r2, %r1;
        add.u32 %r1, %r1, 1;
        and.b32 %r3, %r2, 15;
        setp.ne.u32 %p2, %r3, 9;
        setp.lt.and.u32 %p2, %r1, 20, %p2;
        @%p2 bra head;
        st.global.u32 [%out], %r2;)"},
           [](u32 t, u32) {
               u32 x = t, i = 0;
               bool skip = t % 4 == 1;
               do {
                   if (!skip) x = x * 3 + 1;
                   skip = false;
                   x += i++;
               } while (i < 20 && x % 16 != 9);
               return x;
           });
}

void exits() {
    expect({.name = "exit of odd lanes, ret of others, inside a loop",
            .body = R"(
        mov.u32 %r1, 0;
        mov.u32 %r2, %t;
        and.b32 %r3, %t, 1;
        setp.ne.u32 %p3, %r3, 0;
        and.b32 %r4, %t, 7;
    head:
        st.global.u32 [%out], %r2;
        setp.eq.and.u32 %p1, %r1, %r4, %p3;
        @%p1 exit;
        mad.lo.u32 %r2, %r2, 7, 3;
        setp.eq.u32 %p2, %r1, 6;
        @%p2 ret;
        add.u32 %r1, %r1, 1;
        bra head;)",
            .block = {45}},
           [](u32 t, u32) {
               u32 x = t, rounds = t & 1 ? t & 7 : 6;
               if (rounds > 6) rounds = 6;
               for (u32 i = 0; i < rounds; i++) x = x * 7 + 3;
               return x;
           });
    expect({.name = "exit in one side of a branch, the rest votes", .body = R"(
        and.b32 %r1, %lane, 3;
        setp.eq.u32 %p1, %r1, 2;
        @!%p1 bra stay;
        st.global.u32 [%out], 77;
        exit;
    stay:
        setp.lt.u32 %p2, %lane, 20;
        vote.sync.ballot.b32 %r2, %p2, 0xbbbbbbbb;
        st.global.u32 [%out], %r2;)"},
           [](u32 t, u32) { return t % 4 == 2 ? 77 : 0xbbbbbbbb & 0xfffff; });
    expect({.name = "whole warps that end at once",
            .body = R"(
        mov.u32 %r1, %tid.x;
        shr.u32 %r1, %r1, 5;
        setp.eq.u32 %p1, %r1, 1;
        @%p1 ret;
        st.global.u32 [%out], %r1;)",
            .block = {96}},
           [](u32 t, u32) { return t / 32 % 3 == 1 ? kUntouched : t / 32 % 3; });
}

void tables() {
    std::string body = R"(
        mov.u32 %r2, 0;
        mov.u32 %r1, 0;
    head:
        mad.lo.u32 %r3, %r1, 5, %t;
        rem.u32 %r3, %r3, 6;
    ts: .branchtargets zero, one, two, one, four, out;
        brx.idx %r3, ts;
    zero: add.u32 %r2, %r2, 1;
    one: mad.lo.u32 %r2, %r2, 3, 2;
        bra next;
    two: xor.b32 %r2, %r2, 4660;
        bra next;
    four: sub.u32 %r2, %r2, %t;
    next: add.u32 %r1, %r1, 1;
        setp.lt.u32 %p1, %r1, 9;
        @%p1 bra head;
    out: st.global.u32 [%out], %r2;)";
    auto expected = [](u32 t, u32) {
        u32 x = 0;
        for (u32 i = 0; i < 9; i++) {
            switch ((i * 5 + t) % 6) {
                case 0:
                    x += 1;
                    [[fallthrough]];
                case 1:
                case 3:
                    x = x * 3 + 2;
                    break;
                case 2:
                    x ^= 4660;
                    break;
                case 4:
                    x -= t;
                    break;
                default:
                    return x;
            }
        }
        return x;
    };
    expect({.name = "brx.idx in a loop, with fallthrough", .body = body, .block = {50}}, expected);
    expect({.name = "brx.idx.uni", .body = R"(
        shr.u32 %r3, %t, 5;
    ts: .branchtargets zero, one, two, three;
        brx.idx.uni %r3, ts;
    zero: mov.u32 %r2, 5; bra done;
    one: mov.u32 %r2, 6; bra done;
    two: mov.u32 %r2, 7; bra done;
    three: mov.u32 %r2, 8;
    done: st.global.u32 [%out], %r2;)"},
           [](u32 t, u32) { return 5 + t / 32; });
}

void meetings() {
    expect({.name = "all lanes meet behind if and else", .body = R"(
        setp.lt.u32 %p1, %lane, 9;
        mov.u32 %r1, %lane;
        @%p1 bra low;
        add.u32 %r1, %r1, 100;
        setp.lt.u32 %p2, %lane, 17;
        @%p2 bra join;
        add.u32 %r1, %r1, 200;
        bra join;
    low: mul.lo.u32 %r1, %r1, 2;
    join:
        xor.b32 %r2, %lane, 31;
        shfl.sync.idx.b32 %r3, %r1, %r2, 31, 0xffffffff;
        st.global.u32 [%out], %r3;)"},
           [](u32 t, u32) {
               u32 from = 31 - t % 32;
               return from < 9 ? from * 2 : from < 17 ? from + 100 : from + 300;
           });
    expect({.name = "all lanes meet behind a loop that they leave in turn", .body = R"(
        mov.u32 %r1, 0;
    head:
        setp.ge.u32 %p1, %r1, %lane;
        @%p1 bra out;
        add.u32 %r1, %r1, 3;
        bra head;
    out:
        shfl.sync.bfly.b32 %r2, %r1, 16, 31, 0xffffffff;
        st.global.u32 [%out], %r2;)"},
           [](u32 t, u32) { return (((t % 32) ^ 16) + 2) / 3 * 3; });
    expect({.name = "lanes of an inner loop meet in each round of the outer one", .body = R"(
        mov.u32 %r1, 0;
        mov.u32 %r5, 0;
    outer:
        mov.u32 %r2, 0;
        add.u32 %r3, %lane, %r1;
        and.b32 %r3, %r3, 7;
    inner:
        add.u32 %r2, %r2, 1;
        setp.le.u32 %p1, %r2, %r3;
        @%p1 bra inner;
        redux.sync.add.u32 %r4, %r2, 0xffffffff;
        mad.lo.u32 %r5, %r5, 2, %r4;
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p1, %r1, 4;
        @%p1 bra outer;
        st.global.u32 [%out], %r5;)"},
           [](u32, u32) {
               u32 sum = 0;
               for (u32 i = 0; i < 4; i++) {
                   u32 all = 0;
                   for (u32 l = 0; l < 32; l++) all += (l + i) % 8 + 1;
                   sum = sum * 2 + all;
               }
               return sum;
           });
}

void guards() {
    expect({.name = "guards on every kind of instruction",
            .body = R"(
        and.b32 %r1, %t, 5;
        setp.eq.u32 %p1, %r1, 4;
        setp.gt.u32 %p2, %t, 20;
        mov.u32 %r2, 11;
        mov.u32 %r3, 22;
        mov.b64 %d1, 33;
        mov.f32 %f1, 0f3F800000;
        mov.pred %p3, %p2;
        @%p1 ld.global.u32 %r2, [%in];
        @!%p1 add.u32 %r2, %r2, %t;
        @%p2 mov.u32 %r3, %r2;
        @%p1 cvt.u64.u32 %d1, %r2;
        @!%p2 fma.rn.f32 %f1, %f1, 0f40400000, %f1;
        @%p1 setp.lt.u32 %p3, %t, 30;
        @!%p1 not.pred %p3, %p3;
        @%p3 st.global.u32 [%out], %r2;
        @!%p3 st.global.u32 [%out], %r3;
        @%p1 st.global.u64 [%out+8], %d1;
        st.global.f32 [%out+4], %f1;)",
            .in = randomWords(128, 1),
            .outWords = 4},
           [in = randomWords(128, 1)](u32 t, u32 k) -> u32 {
               bool p1 = (t & 5) == 4, p2 = t > 20, p3 = p1 ? t < 30 : !p2;
               u32 a = p1 ? in[t] : 11 + t, b = p2 ? a : 22;
               if (k == 0) return p3 ? a : b;
               if (k == 1) return p2 ? 0x3f800000 : 0x40800000;
               return !p1 ? kUntouched : k == 2 ? a : 0;
           });
}

void waits() {
    // One warp waits for what another one of its block, and of another block, writes.
    expect({.name = "warps that wait for each other through memory",
            .body = R"(
        ld.param.u64 %d1, [output];
        mov.u32 %r1, %ctaid.x;
        mov.u32 %r2, %tid.x;
        shr.u32 %r2, %r2, 5;
        mad.lo.u32 %r3, %r1, 2, %r2;
        setp.eq.u32 %p1, %r3, 5;
        @%p1 bra write;
        add.u32 %r4, %r3, 1;
        mul.lo.u32 %r4, %r4, 128;
        cvt.u64.u32 %d2, %r4;
        add.u64 %d2, %d1, %d2;
    again:
        ld.volatile.global.u32 %r5, [%d2];
        setp.eq.u32 %p2, %r5, 0xdeadbeef;
        @%p2 bra again;
        add.u32 %r5, %r5, 1;
        st.volatile.global.u32 [%out], %r5;
        ret;
    write:
        st.volatile.global.u32 [%out], 100;)",
            .grid = {3}},
           [](u32 t, u32) { return 105 - t / 32; });
}

void all() {
    branches();
    loops();
    exits();
    tables();
    meetings();
    guards();
    waits();
}

}  // namespace

int main() { return inEveryMode("control flow", all); }
