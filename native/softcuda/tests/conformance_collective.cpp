// shfl, vote, match, redux, activemask, elect: full and partial masks, in diverged code, groups that differ within one instruction.
#include "conformance_kernel.h"

using namespace conformance;

namespace {

// Lanes that take part, each with its own code path: the others do something else and do not write.
struct Members {
    u32 mask;
    bool branched;  // by a branch, else by a guard
};
const Members kMembers[] = {{0xffffffff, false}, {0x55555555, true}, {0xffff0000, true},
                            {0x80000001, false}, {0x00ffff7e, true}, {0x00000100, true}};

std::string hex(u32 x) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%x", x);
    return text;
}

// `text` runs in the member lanes; it reads %r1 (the input) and writes %r2 and %r3. %p9 holds in members.
void inMembers(const std::string& name, const std::string& text, const Members& members, const std::vector<u32>& in,
               const std::function<u32(u32 warp, u32 lane, u32 k)>& expected, const std::string& target = "90") {
    std::string set = "mov.u32 %r10, " + hex(members.mask) +
                      ";\nshr.u32 %r11, %r10, %lane;\nand.b32 %r11, %r11, 1;\nsetp.eq.u32 %p9, %r11, 1;\n"
                      "ld.global.u32 %r1, [%in];\nmov.u32 %r2, 0xdeadbeef;\nmov.u32 %r3, 0xdeadbeef;\n";
    std::string body = set;
    if (members.branched) {
        body += "@%p9 bra in;\nadd.u32 %r2, %r2, 0;\nbra out;\nin:\n" + text + "out:\n";
    } else {
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);)
            if (!line.empty()) body += (line[0] == '.' ? "" : "@%p9 ") + line + "\n";
    }
    body += "st.global.v2.u32 [%out], {%r2, %r3};";
    std::string title = name + " members " + hex(members.mask) + (members.branched ? " by a branch" : " by a guard");
    expect({.name = title.c_str(), .body = body, .in = in, .outWords = 2, .target = target}, [&](u32 t, u32 k) {
        bool member = members.mask >> (t % 32) & 1;
        return member ? expected(t / 32, t % 32, k) : kUntouched;
    });
}

// --- shfl -------------------------------------------------------------------------------------------------------------------------

struct Source {
    u32 lane;
    bool inside;
};

// The manual's rules, with c = clamp | segment << 8.
Source shuffleSource(const std::string& mode, u32 lane, u32 b, u32 c) {
    u32 by = b % 32, clamp = c % 32, segment = c / 256 % 32;
    u32 first = lane & segment, last = first | (clamp & (31 - segment));
    int j;
    bool inside;
    if (mode == "up") {
        j = static_cast<int>(lane) - static_cast<int>(by);
        inside = j >= static_cast<int>(last);
    } else {
        j = static_cast<int>(mode == "down" ? lane + by : mode == "bfly" ? lane ^ by : first | (by & (31 - segment)));
        inside = j <= static_cast<int>(last);
    }
    return {inside ? static_cast<u32>(j) : lane, inside};
}

// What lanes outside of the members hold is not defined: shuffles that would read it are left out.
bool staysInside(const char* mode, u32 b, u32 c, u32 members) {
    for (u32 lane = 0; lane < 32; lane++)
        if ((members >> lane & 1) && !(members >> shuffleSource(mode, lane, b, c).lane & 1)) return false;
    return true;
}

void shuffle(const char* mode, u32 b, u32 c, const Members& members) {
    static const std::vector<u32> in = randomWords(128, 11);
    std::string form = std::string("shfl.sync.") + mode + ".b32";
    std::string text =
        form + " %r2|%p1, %r1, " + std::to_string(b) + ", " + hex(c) + ", " + hex(members.mask) + ";\nselp.u32 %r3, 1, 0, %p1;\n";
    inMembers(form + " b " + std::to_string(b) + " c " + hex(c), text, members, in, [&](u32 warp, u32 lane, u32 k) {
        Source from = shuffleSource(mode, lane, b, c);
        return k == 0 ? in[warp * 32 + from.lane] : from.inside ? 1u : 0u;
    });
}

void shuffles() {
    for (const char* mode : {"up", "down", "bfly", "idx"})
        for (u32 c : {0x1fu, 0x101fu, 0x181fu, 0x1e1fu, 0u, 0x1000u, 0x1c00u, 0x1807u, 0x0bu})
            for (u32 b : {0u, 1u, 2u, 5u, 8u, 31u, 34u})
                for (const Members& members : kMembers)
                    if (staysInside(mode, b, c, members.mask)) shuffle(mode, b, c, members);
}

void shuffleOperands() {
    std::vector<u32> in = randomWords(128, 12);
    expect({.name = "shfl.sync with b and c of each lane, without a predicate",
            .body = R"(
        ld.global.u32 %r1, [%in];
        mul.lo.u32 %r2, %lane, 5;
        add.u32 %r2, %r2, 3;
        and.b32 %r3, %lane, 8;
        setp.ne.u32 %p1, %r3, 0;
        selp.u32 %r4, 0x181f, 0x1f, %p1;
        mov.u32 %r6, -1;
        shfl.sync.idx.b32 %r1, %r1, %r2, %r4, %r6;
        st.global.u32 [%out], %r1;)",
            .in = in},
           [&](u32 t, u32) {
               u32 lane = t % 32, c = lane & 8 ? 0x181f : 0x1f;
               return in[t / 32 * 32 + shuffleSource("idx", lane, lane * 5 + 3, c).lane];
           });
    expect({.name = "shfl.sync of two groups in one instruction",
            .body = R"(
        ld.global.u32 %r1, [%in];
        and.b32 %r3, %lane, 1;
        setp.ne.u32 %p1, %r3, 0;
        selp.b32 %r4, 0xaaaaaaaa, 0x55555555, %p1;
        shfl.sync.bfly.b32 %r2|%p2, %r1, 6, 31, %r4;
        st.global.u32 [%out], %r2;)",
            .in = in},
           [&](u32 t, u32) { return in[t ^ 6]; });
}

// --- Reductions over members --------------------------------------------------------------------------------------------------------

void votes() {
    const std::vector<u32> in = randomWords(128, 13), ones(128, ~0u), zeros(128, 0);
    for (const Members& members : kMembers)
        for (const std::vector<u32>& values : {in, ones, zeros})
            for (const char* negation : {"", "!"}) {
                std::string mask = hex(members.mask), text = "and.b32 %r12, %r1, 1;\nsetp.ne.u32 %p1, %r12, 0;\n";
                text += std::string("vote.sync.ballot.b32 %r2, ") + negation + "%p1, " + mask + ";\nmov.u32 %r3, 0;\n";
                const char* const modes[] = {"all", "any", "uni"};
                for (u32 k = 0; k < 3; k++) {
                    text += std::string("vote.sync.") + modes[k] + ".pred %p2, " + negation + "%p1, " + mask + ";\n";
                    text += "selp.u32 %r13, " + std::to_string(1u << k) + ", 0, %p2;\nor.b32 %r3, %r3, %r13;\n";
                }
                inMembers(std::string("vote.sync ") + negation + "p", text, members, values, [&](u32 warp, u32, u32 k) {
                    u32 yes = 0;
                    for (u32 l = 0; l < 32; l++) yes |= ((values[warp * 32 + l] & 1) ^ (*negation ? 1u : 0u)) << l;
                    yes &= members.mask;
                    if (k == 0) return yes;
                    return (yes == members.mask ? 1u : 0u) | (yes ? 2u : 0u) | (yes == 0 || yes == members.mask ? 4u : 0u);
                });
            }
}

void matches() {
    std::vector<u32> few(128), same(128, 77);
    Random random(14);
    for (u32& x : few) x = random.below(4);
    for (const Members& members : kMembers)
        for (const std::vector<u32>& values : {few, same}) {
            std::string mask = hex(members.mask);
            auto equal = [&](u32 warp, u32 lane) {
                u32 bits = 0;
                for (u32 l = 0; l < 32; l++) bits |= (values[warp * 32 + l] == values[warp * 32 + lane] ? 1u : 0u) << l;
                return bits & members.mask;
            };
            inMembers("match.any.sync",
                      "match.any.sync.b32 %r2, %r1, " + mask +
                          ";\ncvt.u64.u32 %d1, %r1;\nshl.b64 %d1, %d1, 33;\n"
                          "match.any.sync.b64 %r3, %d1, " +
                          mask + ";\n",
                      members, values, [&](u32 warp, u32 lane, u32) { return equal(warp, lane); });
            inMembers("match.all.sync",
                      "match.all.sync.b32 %r2|%p1, %r1, " + mask + ";\ncvt.u64.u32 %d1, %r1;\nshl.b64 %d1, %d1, 33;\n" +
                          "match.all.sync.b64 %r3|%p2, %d1, " + mask + ";\n@%p1 add.u32 %r2, %r2, 3;\n@%p2 add.u32 %r3, %r3, 5;\n",
                      {members.mask, true}, values,
                      [&](u32 warp, u32 lane, u32 k) { return equal(warp, lane) == members.mask ? members.mask + (k ? 5 : 3) : 0; });
        }
}

u32 reduce(const std::string& op, u32 a, u32 b) {
    i32 x = static_cast<i32>(a), y = static_cast<i32>(b);
    if (op == "add.u32" || op == "add.s32") return a + b;
    if (op == "min.u32") return std::min(a, b);
    if (op == "max.u32") return std::max(a, b);
    if (op == "min.s32") return static_cast<u32>(std::min(x, y));
    if (op == "max.s32") return static_cast<u32>(std::max(x, y));
    return op == "and.b32" ? a & b : op == "or.b32" ? a | b : a ^ b;
}

void reductions() {
    std::vector<u32> in = randomWords(128, 15);
    for (const char* op : {"add.u32", "add.s32", "min.u32", "max.u32", "min.s32", "max.s32", "and.b32", "or.b32", "xor.b32"})
        for (const Members& members : kMembers)
            inMembers(std::string("redux.sync.") + op, std::string("redux.sync.") + op + " %r2, %r1, " + hex(members.mask) + ";\n", members,
                      in, [&](u32 warp, u32, u32 k) {
                          u32 result = 0;
                          bool first = true;
                          for (u32 l = 0; l < 32; l++)
                              if (members.mask >> l & 1) {
                                  result = first ? in[warp * 32 + l] : reduce(op, result, in[warp * 32 + l]);
                                  first = false;
                              }
                          return k == 0 ? result : kUntouched;
                      });
}

// redux of f32: -0 is below +0; NaN is dropped, or with .NaN taken; .abs takes magnitudes.
void floatReductions() {
    std::vector<u32> in(128);
    const u32 values[] = {0x3f800000, 0xc0000000, 0x7fc00000, 0x80000000, 0, 0x40490fdb, 0xff800000, 0x00000001};
    Random random(16);
    for (u32 k = 0; k < 128; k++) in[k] = k < 32 ? 0x7fc00000 : k < 64 ? values[random.below(8)] : values[3 + random.below(3)];
    for (const char* op : {"min", "max", "min.abs", "max.abs", "min.NaN", "max.NaN", "min.abs.NaN", "max.abs.NaN"})
        for (const Members& members : kMembers) {
            std::string text = op;
            bool min = text.find("min") == 0, nan = text.find("NaN") != text.npos, abs = text.find("abs") != text.npos;
            inMembers(
                "redux.sync." + text + ".f32",
                "mov.b32 %f1, %r1;\nredux.sync." + text + ".f32 %f2, %f1, " + hex(members.mask) + ";\nmov.b32 %r2, %f2;\n", members, in,
                [&](u32 warp, u32, u32 k) {
                    auto key = [](u32 x) { return x >> 31 ? -static_cast<i64>(x & 0x7fffffff) - 1 : static_cast<i64>(x); };
                    u32 best = 0x7fffffff;
                    for (u32 l = 0; l < 32; l++) {
                        u32 x = in[warp * 32 + l];
                        if (!(members.mask >> l & 1)) continue;
                        if (abs) x &= 0x7fffffff;
                        if ((x & 0x7fffffff) > 0x7f800000) {
                            if (nan) return k == 0 ? 0x7fffffff : kUntouched;
                        } else if (best == 0x7fffffff || (min ? key(x) < key(best) : key(x) > key(best))) {
                            best = x;
                        }
                    }
                    return k == 0 ? best : kUntouched;
                },
                "100a");
        }
}

void masks() {
    for (const Members& members : kMembers)
        inMembers(
            "activemask and elect.sync",
            "activemask.b32 %r2;\nelect.sync %r3|%p1, " + hex(members.mask) + ";\nselp.u32 %r4, 100, 0, %p1;\nadd.u32 %r3, %r3, %r4;\n",
            {members.mask, true}, {}, [&](u32, u32 lane, u32 k) {
                u32 leader = static_cast<u32>(__builtin_ctz(members.mask));
                return k == 0 ? members.mask : leader + (lane == leader ? 100 : 0);
            });
    expect({.name = "collectives where some lanes do not exist or have ended",
            .body = R"(
        setp.eq.u32 %p1, %lane, 2;
        @%p1 exit;
        activemask.b32 %r1;
        setp.ne.u32 %p2, %lane, 99;
        vote.sync.ballot.b32 %r2, %p2, 0xfffffffb;
        redux.sync.add.u32 %r3, %lane, 0xfffffffb;
        elect.sync _|%p3, 0xfffffffb;
        selp.u32 %r4, 1, 0, %p3;
        st.global.v4.u32 [%out], {%r1, %r2, %r3, %r4};)",
            .outWords = 4,
            .block = {43},
            .grid = {1}},
           [](u32 t, u32 k) {
               u32 there = t < 32 ? 0xfffffffb : 0x7fb, sum = 0;
               if (t % 32 == 2) return kUntouched;
               for (u32 l = 0; l < 32; l++) sum += there >> l & 1 ? l : 0;
               return k < 2 ? there : k == 2 ? sum : t % 32 == 0 ? 1 : 0;
           });
}

void all() {
    shuffles();
    shuffleOperands();
    votes();
    matches();
    reductions();
    if (isSm100()) floatReductions();
    masks();
}

}  // namespace

int main() { return inEveryMode("collectives", all); }
