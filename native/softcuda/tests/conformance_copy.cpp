// cp.async with its groups, and the matrices of 16-bit numbers that ldmatrix, stmatrix and movmatrix move.
#include "conformance_kernel.h"

using namespace conformance;

namespace {

// --- cp.async ---------------------------------------------------------------------------------------------------------------------

const char* const kStage = ".shared .align 16 .b8 stage[4096];";

// %d1, %r1: this thread's 64 bytes of shared memory.
const char* const kStageAddress = R"(
    mov.u32 %r10, %tid.x;
    mov.u32 %r1, stage;
    mad.lo.u32 %r1, %r10, 64, %r1;
    mov.u64 %d1, stage;
    mad.wide.u32 %d1, %r10, 64, %d1;
)";

std::string copyBack(u32 words) {
    std::string text;
    for (u32 k = 0; k < words; k++)
        text += "ld.shared.b32 %r20, [%d1+" + std::to_string(4 * k) + "];\nst.global.b32 [%out+" + std::to_string(4 * k) + "], %r20;\n";
    return text;
}

std::string fill(u32 words) {
    std::string text;
    for (u32 k = 0; k < words; k++) text += "st.shared.b32 [%d1+" + std::to_string(4 * k) + "], 0x11111111;\n";
    return text;
}

// A copy of `bytes` bytes to offset 16 of a filled place; `more` are the operands behind the size. The first kept(t) of them are the
// source's, the others zero; kSkipped: nothing is copied.
constexpr u32 kSkipped = 99;

void copy(u32 bytes, const char* form, const std::string& more, const std::string& before, const std::function<u32(u32 t)>& kept) {
    std::vector<u32> in = randomWords(128 * 8, bytes);
    std::string target = std::string(form).find("::cta") == std::string::npos ? " [%r1+16]" : " [%d1+16]";
    std::string text = form + target + ", [%in+16], " + std::to_string(bytes) + more;
    std::string body = kStageAddress + fill(12) + before + text + ";\ncp.async.wait_all;\n" + copyBack(12);
    expect({.name = text.c_str(), .body = body, .in = in, .inWords = 8, .outWords = 12, .module = kStage}, [&](u32 t, u32 k) {
        u8 area[48];
        std::memset(area, 0x11, sizeof area);
        u32 n = kept(t);
        if (n != kSkipped) {
            std::memset(area + 16, 0, bytes);
            std::memcpy(area + 16, reinterpret_cast<const u8*>(in.data() + 8 * t) + 16, n);
        }
        u32 word;
        std::memcpy(&word, area + 4 * k, 4);
        return word;
    });
}

void copies() {
    const char* const kPolicy = "createpolicy.fractional.L2::evict_first.b64 %d9, 1.0;\n";
    const char* const kOdd = "and.b32 %r11, %t, 1;\nsetp.ne.u32 %p1, %r11, 0;\n";
    for (u32 bytes : {4u, 8u, 16u}) {
        auto whole = [bytes](u32) { return bytes; };
        copy(bytes, "cp.async.ca.shared.global", "", "", whole);
        copy(bytes, "cp.async.ca.shared::cta.global", "", "", whole);
        copy(bytes, "cp.async.ca.shared.global.L2::128B", "", "", whole);
        copy(bytes, "cp.async.ca.shared.global.L2::cache_hint", ", %d9", kPolicy, whole);
        copy(bytes, "cp.async.ca.shared.global", ", " + std::to_string(bytes / 2), "", [bytes](u32) { return bytes / 2; });
        copy(bytes, "cp.async.ca.shared.global", ", %r11", "rem.u32 %r11, %lane, " + std::to_string(bytes + 1) + ";\n",
             [bytes](u32 t) { return t % 32 % (bytes + 1); });
        copy(bytes, "cp.async.ca.shared.global", ", %p1", kOdd, [bytes](u32 t) { return t & 1 ? 0 : bytes; });
        copy(bytes, "@%p1 cp.async.ca.shared.global", "", kOdd, [bytes](u32 t) { return t & 1 ? bytes : kSkipped; });
    }
    copy(16, "cp.async.cg.shared.global", "", "", [](u32) { return 16; });
    copy(16, "cp.async.cg.shared.global.L2::256B", "", "", [](u32) { return 16; });
    copy(16, "cp.async.cg.shared.global", ", 0", "", [](u32) { return 0; });
    copy(16, "cp.async.cg.shared.global", ", 12", "", [](u32) { return 12; });
    copy(16, "cp.async.cg.shared.global.L2::cache_hint", ", 9, %d9", kPolicy, [](u32) { return 9; });
}

// Rounds of a pipeline with `stages` places: each round reads what was asked for stages - 1 rounds before.
void pipeline(u32 stages) {
    constexpr u32 kRounds = 9;
    std::string n = std::to_string(stages), body = kStageAddress;
    auto ask = [&](const std::string& round) {
        return "rem.u32 %r3, " + round + ", " + n + ";\nmad.lo.u32 %r4, %r3, 4, %r1;\nmad.wide.u32 %d3, " + round +
               ", 4, %in;\ncp.async.ca.shared.global [%r4], [%d3], 4;\n";
    };
    for (u32 k = 0; k + 1 < stages; k++) body += "mov.u32 %r2, " + std::to_string(k) + ";\n" + ask("%r2") + "cp.async.commit_group;\n";
    body += "mov.u32 %r5, 0;\nmov.u32 %r6, 0;\nloop:\nadd.u32 %r7, %r5, " + std::to_string(stages - 1) + ";\nsetp.lt.u32 %p1, %r7, " +
            std::to_string(kRounds) + ";\n@!%p1 bra none;\n" + ask("%r7") + "none:\ncp.async.commit_group;\ncp.async.wait_group " +
            std::to_string(stages - 1) + ";\nrem.u32 %r3, %r5, " + n +
            ";\nmad.lo.u32 %r4, %r3, 4, %r1;\nld.shared.u32 %r8, [%r4];\nmad.lo.u32 %r6, %r6, 31, %r8;\nadd.u32 %r5, %r5, 1;\n"
            "setp.lt.u32 %p2, %r5, " +
            std::to_string(kRounds) + ";\n@%p2 bra loop;\nst.global.u32 [%out], %r6;";
    std::vector<u32> in = randomWords(128 * kRounds, 20 + stages);
    expect({.name = ("pipeline of " + n + " stages").c_str(), .body = body, .in = in, .inWords = kRounds, .module = kStage},
           [&](u32 t, u32) {
               u32 sum = 0;
               for (u32 k = 0; k < kRounds; k++) sum = sum * 31 + in[t * kRounds + k];
               return sum;
           });
}

// Lanes that commit different numbers of groups wait for their own.
void groups() {
    std::vector<u32> in = randomWords(128 * 4, 30);
    expect({.name = "groups of each lane, and of what other threads read after a barrier",
            .body = std::string(kStageAddress) + R"(
        cp.async.ca.shared.global [%r1], [%in], 4;
        and.b32 %r2, %lane, 1;
        setp.eq.u32 %p1, %r2, 0;
        @%p1 cp.async.commit_group;
        cp.async.ca.shared.global [%r1+4], [%in+4], 4;
        cp.async.commit_group;
        @%p1 cp.async.wait_group 1;
        @!%p1 cp.async.wait_group 0;
        ld.shared.u32 %r3, [%r1];
        cp.async.wait_all;
        bar.sync 0;
        xor.b32 %r4, %r10, 33;
        mov.u32 %r5, stage;
        mad.lo.u32 %r5, %r4, 64, %r5;
        ld.shared.u32 %r6, [%r5+4];
        st.global.v2.u32 [%out], {%r3, %r6};)",
            .in = in,
            .inWords = 4,
            .outWords = 2,
            .module = kStage},
           [&](u32 t, u32 k) { return k == 0 ? in[4 * t] : in[4 * (t ^ 33) + 1]; });
    expect({.name = "wait_group without groups, and exit with copies under way",
            .body = std::string(kStageAddress) + R"(
        cp.async.commit_group;
        cp.async.wait_group 0;
        cp.async.wait_group 3;
        cp.async.cg.shared.global [%r1], [%in], 16;
        cp.async.commit_group;
        st.global.u32 [%out], 5;)",
            .in = in,
            .inWords = 4,
            .module = kStage},
           [](u32, u32) { return 5; });
}

// --- ldmatrix, stmatrix, movmatrix ------------------------------------------------------------------------------------------------

// Matrix m, row r lies at byte 16 * place(m, r) of shared memory: rows in no special order.
u32 placeOf(u32 m, u32 r) { return (m * 8 + r) * 5 % 32; }

// The two 16-bit numbers that a lane holds of one matrix.
u32 fragment(const u16* shared, u32 m, u32 lane, bool transposed) {
    u32 row = lane / 4, column = lane % 4 * 2, value = 0;
    for (u32 e = 0; e < 2; e++) {
        u32 r = transposed ? column + e : row, c = transposed ? row : column + e;
        value |= static_cast<u32>(shared[placeOf(m, r) * 8 + c]) << (16 * e);
    }
    return value;
}

std::string registers(u32 count) {
    std::string text = "{";
    for (u32 k = 0; k < count; k++) text += (k ? ", %r" : "%r") + std::to_string(20 + k);
    return text + "}";
}

// The warp's 512 bytes of shared memory are filled from global memory; %r4 is the address of the row that this lane names.
const char* const kMatrixSetup = R"(
    .shared .align 16 .b8 matrices[1024];
    mov.u32 %r1, matrices;
    mov.u32 %r2, %tid.x;
    shr.u32 %r2, %r2, 5;
    mad.lo.u32 %r1, %r2, 512, %r1;
    mad.lo.u32 %r3, %lane, 16, %r1;
    ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%in];
    st.shared.v4.u32 [%r3], {%r5, %r6, %r7, %r8};
    mul.lo.u32 %r4, %lane, 5;
    and.b32 %r4, %r4, 31;
    mad.lo.u32 %r4, %r4, 16, %r1;
    bar.warp.sync 0xffffffff;
)";

void loadMatrices(u32 count, bool transposed, const char* space) {
    std::string form = "ldmatrix.sync.aligned.m8n8.x" + std::to_string(count) + (transposed ? ".trans" : "") + space + ".b16 ";
    std::string body = std::string(kMatrixSetup) + "sub.u32 %r4, %r4, 16;\ncvt.s64.s32 %d4, %r4;\n";
    bool generic = space[0] == 0;
    if (generic) body += "cvta.shared.u64 %d4, %d4;\n";
    body += form + registers(count) + ", [" + (generic ? "%d4" : "%r4") + "+16];\n";
    for (u32 k = 0; k < count; k++) body += "st.global.u32 [%out+" + std::to_string(4 * k) + "], %r" + std::to_string(20 + k) + ";\n";
    std::vector<u32> in = randomWords(128 * 4, count);
    expect({.name = form.c_str(), .body = body, .in = in, .inWords = 4, .outWords = count},
           [&](u32 t, u32 k) { return fragment(reinterpret_cast<const u16*>(in.data() + t / 32 * 128), k, t % 32, transposed); });
}

void storeMatrices(u32 count, bool transposed, const char* space) {
    std::string form = "stmatrix.sync.aligned.m8n8.x" + std::to_string(count) + (transposed ? ".trans" : "") + space + ".b16 ";
    std::string body = kMatrixSetup;
    bool generic = space[0] == 0;
    body += "cvt.u64.u32 %d4, %r4;\n";
    if (generic) body += "cvta.shared.u64 %d4, %d4;\n";
    for (u32 k = 0; k < count; k++)
        body += "ld.global.u32 %r" + std::to_string(20 + k) + ", [%in+" + std::to_string(4 * k) + "];\nadd.u32 %r" +
                std::to_string(20 + k) + ", %r" + std::to_string(20 + k) + ", 12345;\n";
    body += form + (generic ? "[%d4], " : "[%r4], ") + registers(count) + R"(;
        bar.warp.sync 0xffffffff;
        ld.shared.v4.u32 {%r5, %r6, %r7, %r8}, [%r3];
        st.global.v4.u32 [%out], {%r5, %r6, %r7, %r8};)";
    std::vector<u32> in = randomWords(128 * 4, 50 + count);
    expect({.name = form.c_str(), .body = body, .in = in, .inWords = 4, .outWords = 4}, [&](u32 t, u32 k) {
        u16 shared[256];
        std::memcpy(shared, in.data() + t / 32 * 128, 512);
        for (u32 m = 0; m < count; m++)
            for (u32 lane = 0; lane < 32; lane++)
                for (u32 e = 0; e < 2; e++) {
                    u32 row = lane / 4, column = lane % 4 * 2 + e, pair = in[(t / 32 * 32 + lane) * 4 + m] + 12345;
                    u32 place = transposed ? placeOf(m, column) * 8 + row : placeOf(m, row) * 8 + column;
                    shared[place] = static_cast<u16>(pair >> (16 * e));
                }
        u32 word;
        std::memcpy(&word, shared + (t % 32) * 8 + 2 * k, 4);
        return word;
    });
}

void moveMatrix() {
    std::vector<u32> in = randomWords(128, 60);
    for (const char* target : {"%r2", "%r1"}) {
        std::string to = target;
        expect(
            {.name = "movmatrix.sync.aligned.m8n8.trans.b16",
             .body = "ld.global.u32 %r1, [%in];\nmovmatrix.sync.aligned.m8n8.trans.b16 " + to + ", %r1;\nst.global.u32 [%out], " + to + ";",
             .in = in},
            [&](u32 t, u32) {
                u32 row = t % 32 / 4, value = 0;
                for (u32 e = 0; e < 2; e++) {
                    u32 column = t % 4 * 2 + e;  // of the result; in the source it is the row
                    u32 pair = in[t / 32 * 32 + column * 4 + row / 2];
                    value |= (pair >> (row % 2 * 16) & 0xffff) << (16 * e);
                }
                return value;
            });
    }
}

void all() {
    copies();
    for (u32 stages : {1u, 2u, 3u, 4u}) pipeline(stages);
    groups();
    for (u32 count : {1u, 2u, 4u})
        for (bool transposed : {false, true})
            for (const char* space : {".shared", ".shared::cta", ""}) {
                loadMatrices(count, transposed, space);
                storeMatrices(count, transposed, space);
            }
    moveMatrix();
}

}  // namespace

int main() { return inEveryMode("asynchronous copies and matrices in shared memory", all); }
