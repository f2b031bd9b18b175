// ld and st: every type, vector, space, way to write an address and cache or order modifier; variables and their initial values.
#include "conformance_kernel.h"

using namespace conformance;

namespace {

struct ScalarType {
    const char* name;
    u32 bytes;
    bool isSigned;
};
const ScalarType kTypes[] = {{"b8", 1, false},  {"u8", 1, false},  {"s8", 1, true},   {"b16", 2, false}, {"u16", 2, false},
                             {"s16", 2, true},  {"b32", 4, false}, {"u32", 4, false}, {"s32", 4, true},  {"f32", 4, false},
                             {"b64", 8, false}, {"u64", 8, false}, {"s64", 8, true},  {"f64", 8, false}};

// A space, the instructions that put the address of this thread's 32 bytes into %d20, and what ld and st are called with.
struct Place {
    const char* space;
    const char* modifier;
    const char* setup;
};
const Place kPlaces[] = {
    {"global", ".global", "mov.u64 %d20, global_area; mad.wide.u32 %d20, %t, 32, %d20;"},
    {"shared", ".shared", "mov.u64 %d20, shared_area; mov.u32 %r60, %tid.x; mad.wide.u32 %d20, %r60, 32, %d20;"},
    {"shared::cta", ".shared::cta", "mov.u64 %d20, shared_area; mov.u32 %r60, %tid.x; mad.wide.u32 %d20, %r60, 32, %d20;"},
    {"local", ".local", "mov.u64 %d20, local_area; add.u64 %d20, %d20, 32;"},
    {"generic global", "", "mov.u64 %d20, global_area; cvta.global.u64 %d20, %d20; mad.wide.u32 %d20, %t, 32, %d20;"},
    {"generic shared", "",
     "mov.u64 %d20, shared_area; cvta.shared.u64 %d20, %d20; mov.u32 %r60, %tid.x; mad.wide.u32 %d20, %r60, 32, %d20;"},
    {"generic local", "", "mov.u64 %d20, local_area; cvta.local.u64 %d20, %d20; add.u64 %d20, %d20, 32;"},
};
const char* const kAreas = ".global .align 32 .b8 global_area[4096];\n.shared .align 32 .b8 shared_area[2048];";

// The area declared for this thread, filled from its eight words of input.
std::string areaText(const Place& place) {
    std::string text = std::string(".local .align 32 .b8 local_area[96];\n") + place.setup + "\n";
    for (u32 k = 0; k < 8; k++) {
        std::string at = std::to_string(4 * k);
        text += "ld.global.b32 %r50, [%in+" + at + "];\nst" + place.modifier + ".b32 [%d20+" + at + "], %r50;\n";
    }
    return text;
}

// Registers that hold a value of `type`, from its own width up to 64 bits.
std::vector<std::string> registersOf(const ScalarType& type) {
    std::string name = type.name;
    if (name == "f32") return {"%f", "%r"};
    if (name == "f64") return {"%x", "%d"};
    if (type.bytes == 8) return {"%d"};
    if (type.bytes == 4) return {"%r", "%d"};
    return {"%h", "%r", "%d"};
}

std::string list(const std::string& base, u32 vector) {
    if (vector == 1) return base + "1";
    std::string text = "{";
    for (u32 k = 1; k <= vector; k++) text += (k == 1 ? "" : ", ") + base + std::to_string(k);
    return text + "}";
}

std::string dot(const char* op, const Place& place, const ScalarType& type, u32 vector) {
    return std::string(op) + place.modifier + (vector == 1 ? "" : ".v" + std::to_string(vector)) + "." + type.name + " ";
}

// Stores register `reg` as 64 bits, zero-extended from its own width.
std::string storeWhole(const std::string& base, u32 k, u32 at) {
    std::string reg = base + std::to_string(k), to = "st.global.b64 [%out+" + std::to_string(at) + "], ";
    if (base == "%d") return to + reg + ";\n";
    if (base == "%x") return "mov.b64 %d30, " + reg + ";\n" + to + "%d30;\n";
    if (base == "%f") return "mov.b32 %r30, " + reg + ";\ncvt.u64.u32 %d30, %r30;\n" + to + "%d30;\n";
    return std::string("cvt.u64.") + (base == "%h" ? "u16" : "u32") + " %d30, " + reg + ";\n" + to + "%d30;\n";
}

u32 widthOf(const std::string& base) { return base == "%h" ? 2 : base == "%d" || base == "%x" ? 8 : 4; }

// The bytes of element e as the register holds them.
u64 loaded(const u8* area, const ScalarType& type, u32 offset, u32 e, u32 width) {
    u64 value = 0;
    std::memcpy(&value, area + offset + e * type.bytes, type.bytes);
    if (type.isSigned && type.bytes < 8 && (value >> (8 * type.bytes - 1) & 1)) value |= ~0ull << (8 * type.bytes);
    return width == 8 ? value : value & ((1ull << 8 * width) - 1);
}

// Elements for a vector of this type, at a place that is aligned to the vector only.
u32 offsetOf(const ScalarType& type, u32 vector) { return type.bytes * vector == 16 ? 16 : type.bytes * vector; }

void load(const Place& place, const ScalarType& type, u32 vector) {
    std::string name = dot("ld", place, type, vector) + "of " + place.space, body = areaText(place);
    std::vector<std::string> bases = registersOf(type);
    u32 at = 0, offset = offsetOf(type, vector);
    for (const auto& base : bases) {
        body += dot("ld", place, type, vector) + list(base, vector) + ", [%d20+" + std::to_string(offset) + "];\n";
        for (u32 k = 1; k <= vector; k++, at += 8) body += storeWhole(base, k, at);
    }
    std::vector<u32> in = randomWords(128 * 8, vector * 100 + type.bytes);
    expect({.name = name.c_str(), .body = body, .in = in, .inWords = 8, .outWords = at / 4, .module = kAreas}, [&](u32 t, u32 k) {
        const u8* area = reinterpret_cast<const u8*>(in.data()) + 32 * t;
        u64 value = loaded(area, type, offset, k / 2 % vector, widthOf(bases[k / 2 / vector]));
        return static_cast<u32>(k & 1 ? value >> 32 : value);
    });
}

// Stores elements of the input's first words over the area; then the whole area goes out.
void store(const Place& place, const ScalarType& type, u32 vector) {
    std::string name = dot("st", place, type, vector) + "to " + place.space, body = areaText(place);
    std::string base = registersOf(type).front();
    u32 offset = offsetOf(type, vector);
    std::string width = std::string("b") + std::to_string(8 * widthOf(base));
    for (u32 k = 1; k <= vector; k++)
        body += "ld.global." + width + " " + base + std::to_string(k) + ", [%in+" + std::to_string((k - 1) * 8) + "];\n";
    body += "setp.ne.u32 %p1, %lane, 3;\n@%p1 " + dot("st", place, type, vector) + "[%d20+" + std::to_string(offset) + "], " +
            list(base, vector) + ";\n";
    for (u32 k = 0; k < 8; k++) {
        std::string at = std::to_string(4 * k);
        body += "ld" + std::string(place.modifier) + ".b32 %r50, [%d20+" + at + "];\nst.global.b32 [%out+" + at + "], %r50;\n";
    }
    std::vector<u32> in = randomWords(128 * 8, vector * 200 + type.bytes);
    expect({.name = name.c_str(), .body = body, .in = in, .inWords = 8, .outWords = 8, .module = kAreas}, [&](u32 t, u32 k) {
        u8 area[32];
        const u8* from = reinterpret_cast<const u8*>(in.data()) + 32 * t;
        std::memcpy(area, from, 32);
        for (u32 e = 0; e < vector && t % 32 != 3; e++) std::memcpy(area + offset + e * type.bytes, from + 8 * e, type.bytes);
        u32 word;
        std::memcpy(&word, area + 4 * k, 4);
        return word;
    });
}

void widths() {
    for (const Place& place : kPlaces)
        for (const ScalarType& type : kTypes)
            for (u32 vector : {1u, 2u, 4u}) {
                if (type.bytes * vector > 16) continue;
                load(place, type, vector);
                store(place, type, vector);
            }
}

// --- Addresses --------------------------------------------------------------------------------------------------------------------

void addresses() {
    std::vector<u32> in = randomWords(128 * 4, 7);
    expect({.name = "offsets on both sides of a register",
            .body = R"(
        add.u64 %d1, %in, 8;
        ld.global.u32 %r1, [%d1+-8];
        ld.global.u32 %r2, [%d1+-4];
        ld.global.u32 %r3, [%d1+0];
        ld.global.u32 %r4, [%d1+0x4];
        add.u64 %d2, %out, 4096;
        st.global.u32 [%d2+-4096], %r4;
        st.global.u32 [%d2+-4092], %r3;
        st.global.v2.u32 [%d2+-4088], {%r2, %r1};)",
            .in = in,
            .inWords = 4,
            .outWords = 4},
           [&](u32 t, u32 k) { return in[4 * t + 3 - k]; });
    expect({.name = "names, names with offsets, 32-bit registers and numbers as addresses of shared memory",
            .body = R"(
        .shared .align 16 .b32 own[64];
        mov.u32 %r1, common;
        mov.u32 %r2, own;
        mov.u32 %r3, %tid.x;
        shl.b32 %r4, %r3, 2;
        add.u32 %r5, %r2, %r4;
        mul.lo.u32 %r6, %r3, %r3;
        st.shared.u32 [%r5], %r6;
        setp.eq.u32 %p1, %r3, 5;
        @%p1 st.shared.u32 [common], 1234;
        @%p1 st.shared.u32 [common+8], %r3;
        @%p1 st.shared.v2.u32 [%r1+16], {%r3, %r6};
        bar.sync 0;
        ld.shared.u32 %r7, [own+12];
        ld.shared.u32 %r8, [common];
        mov.u32 %r9, common+8;
        ld.shared.u32 %r10, [%r9+0];
        ld.shared.u32 %r11, [%r9+8];
        ld.shared.u32 %r12, [%r9+12];
        mov.u64 %d1, own+4;
        mad.wide.u32 %d1, %r3, 4, %d1;
        ld.shared.u32 %r13, [%d1+-4];
        st.global.v4.u32 [%out], {%r7, %r8, %r10, %r11};
        st.global.v2.u32 [%out+16], {%r12, %r13};)",
            .outWords = 8,
            .module = ".shared .align 16 .b8 common[32];"},
           [](u32 t, u32 k) {
               u32 tid = t % 64;
               const u32 want[] = {9, 1234, 5, 5, 25, tid * tid, kUntouched, kUntouched};
               return want[k];
           });
    expect({.name = "dynamic shared memory behind static variables",
            .body = R"(
        .shared .align 8 .b8 fixed[24];
        mov.u32 %r1, dynamic;
        mov.u32 %r2, fixed;
        and.b32 %r3, %r1, 15;
        sub.u32 %r4, %r1, %r2;
        setp.ge.u32 %p1, %r4, 24;
        selp.u32 %r5, 1, 0, %p1;
        mov.u32 %r6, %tid.x;
        mad.lo.u32 %r7, %r6, 4, %r1;
        add.u32 %r10, %r6, 500;
        st.shared.u32 [%r7+50000], %r10;
        bar.sync 0;
        xor.b32 %r8, %r6, 33;
        mad.lo.u32 %r7, %r8, 4, %r1;
        ld.shared.u32 %r9, [%r7+50000];
        st.global.v2.u32 [%out], {%r3, %r5};
        st.global.u32 [%out+8], %r9;)",
            .outWords = 4,
            .module = ".extern .shared .align 16 .b8 dynamic[];",
            .dynamicShared = 50000 + 256},
           [](u32 t, u32 k) {
               return k == 0 ? 0 : k == 1 ? 1 : k == 2 ? (t % 64 ^ 33) + 500 : kUntouched;
           });
    expect({.name = "local arrays with an index of each lane",
            .body = R"(
        .local .align 4 .b8 depot[64];
        mov.u64 %d1, depot;
        cvta.local.u64 %d2, %d1;
        mov.u32 %r1, 0;
    fill:
        mad.lo.u32 %r2, %r1, %r1, %t;
        mad.wide.u32 %d3, %r1, 4, %d1;
        st.local.u32 [%d3], %r2;
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p1, %r1, 16;
        @%p1 bra fill;
        and.b32 %r3, %t, 15;
        mad.wide.u32 %d4, %r3, 4, %d2;
        ld.u32 %r4, [%d4];
        st.u32 [%d4], 3;
        ld.local.u32 %r5, [depot+20];
        st.global.u32 [%out], %r4;
        st.global.u32 [%out+4], %r5;)",
            .outWords = 2},
           [](u32 t, u32 k) { return k == 0        ? (t % 16) * (t % 16) + t
                                     : t % 16 == 5 ? 3
                                                   : 25 + t; });
}

// --- Modifiers --------------------------------------------------------------------------------------------------------------------

void loadModifiers(bool shared, std::initializer_list<const char*> forms) {
    for (const char* form : forms) {
        std::string text = form, body = shared ? "ld.global.u32 %r9, [%in];\nmov.u64 %d20, words; mov.u32 %r1, %tid.x;\n"
                                                 "mad.wide.u32 %d20, %r1, 4, %d20;\nst.shared.u32 [%d20], %r9;\n"
                                               : "mov.u64 %d20, %in;\n";
        bool hint = text.find("cache_hint") != std::string::npos;
        if (hint) body += "createpolicy.fractional.L2::evict_first.b64 %d21, 1.0;\n";
        body += text + ".b32 %r2, [%d20]" + (hint ? ", %d21" : "") + ";\nst.global.u32 [%out], %r2;";
        std::vector<u32> in = randomWords(128, 5);
        expect({.name = form, .body = body, .in = in, .module = ".shared .align 4 .b8 words[256];"}, [&](u32 t, u32) { return in[t]; });
    }
}

void storeModifiers(bool shared, std::initializer_list<const char*> forms) {
    for (const char* form : forms) {
        std::string text = form, body =
                                     "ld.global.u32 %r9, [%in];\nmov.u64 %d20, words; mov.u32 %r1, %tid.x;\n"
                                     "mad.wide.u32 %d20, %r1, 4, %d20;\n";
        if (!shared) body += "mov.u64 %d20, %out;\n";
        bool hint = text.find("cache_hint") != std::string::npos;
        if (hint) body += "createpolicy.fractional.L2::evict_last.b64 %d21;\n";
        body += text + ".b32 [%d20], %r9" + (hint ? ", %d21" : "") + ";\n";
        if (shared) body += "ld.shared.u32 %r3, [%d20];\nst.global.u32 [%out], %r3;";
        std::vector<u32> in = randomWords(128, 6);
        expect({.name = form, .body = body, .in = in, .module = ".shared .align 4 .b8 words[256];"}, [&](u32 t, u32) { return in[t]; });
    }
}

void modifiers() {
    loadModifiers(false, {"ld.global.ca",
                          "ld.global.cg",
                          "ld.global.cs",
                          "ld.global.lu",
                          "ld.global.cv",
                          "ld.weak.global",
                          "ld.weak",
                          "ld.global.nc",
                          "ld.global.ca.nc",
                          "ld.global.cg.nc",
                          "ld.global.cs.nc",
                          "ld.global.nc.L1::evict_last",
                          "ld.global.nc.L1::no_allocate.L2::128B",
                          "ld.global.L1::evict_normal",
                          "ld.global.L1::evict_first",
                          "ld.global.L1::evict_unchanged",
                          "ld.global.L1::no_allocate",
                          "ld.global.L2::64B",
                          "ld.global.L2::128B",
                          "ld.global.L2::256B",
                          "ld.global.L1::evict_last.L2::256B",
                          "ld.global.L2::cache_hint",
                          "ld.global.nc.L1::no_allocate.L2::cache_hint.L2::256B",
                          "ld.volatile.global",
                          "ld.volatile",
                          "ld.relaxed.cta.global",
                          "ld.relaxed.gpu.global",
                          "ld.relaxed.sys.global",
                          "ld.relaxed.cluster.global",
                          "ld.acquire.cta.global",
                          "ld.acquire.gpu.global",
                          "ld.acquire.sys.global",
                          "ld.acquire.gpu",
                          "ld.mmio.relaxed.sys.global",
                          "ldu.global"});
    loadModifiers(true,
                  {"ld.volatile.shared", "ld.relaxed.cta.shared", "ld.acquire.cta.shared", "ld.acquire.gpu.shared::cta", "ld.weak.shared"});
    storeModifiers(false, {"st.global.wb",
                           "st.global.cg",
                           "st.global.cs",
                           "st.global.wt",
                           "st.weak.global",
                           "st.weak",
                           "st.global.L1::evict_last",
                           "st.global.L1::no_allocate",
                           "st.global.L2::cache_hint",
                           "st.global.L1::evict_first.L2::cache_hint",
                           "st.volatile.global",
                           "st.volatile",
                           "st.relaxed.cta.global",
                           "st.relaxed.gpu.global",
                           "st.relaxed.sys.global",
                           "st.release.cta.global",
                           "st.release.gpu.global",
                           "st.release.sys.global",
                           "st.release.gpu",
                           "st.mmio.relaxed.sys.global"});
    storeModifiers(true, {"st.volatile.shared", "st.relaxed.cta.shared", "st.release.cta.shared", "st.release.gpu.shared::cta"});
}

// Hints that change nothing.
void hints() {
    expect({.name = "prefetch and its kin",
            .body = R"(
        mov.u64 %d1, area;
        prefetch.global.L1 [%d1];
        prefetch.global.L2 [%d1+128];
        prefetch.L2 [%d1];
        prefetch.global.L2::evict_last [%d1];
        prefetch.global.L2::evict_normal [%d1];
        prefetchu.L1 [%d1];
        applypriority.global.L2::evict_normal [%d1], 128;
        discard.global.L2 [%d1+128], 128;
        ld.global.u32 %r1, [%d1+4];
        createpolicy.fractional.L2::evict_last.L2::evict_unchanged.b64 %d2, 0.5;
        createpolicy.range.global.L2::evict_last.L2::evict_first.b64 %d3, [%d1], 0x100, 0x200;
        st.global.u32 [%out], %r1;)",
            .module = ".global .align 128 .b32 area[64] = {5, 6};"},
           [](u32, u32) { return 6; });
}

// Vectors of 256 bits, from sm_100 on.
void wideVectors() {
    std::vector<u32> in = randomWords(128 * 8, 9);
    for (const char* forms : {"v8.b32", "v8.f32", "v4.b64", "v4.f64", "v4.u64"}) {
        std::string form = forms, base = form[4] == '6' ? (form[3] == 'f' ? "%x" : "%d") : form[3] == 'f' ? "%f" : "%r";
        std::string elements = list(base, form[1] == '8' ? 8 : 4);
        for (const char* load : {"ld.global.", "ld.global.nc.L1::no_allocate.L2::256B."})
            expect({.name = (load + form).c_str(),
                    .body = load + form + " " + elements + ", [%in];\nst.global." + form + " [%out], " + elements + ";",
                    .in = in,
                    .inWords = 8,
                    .outWords = 8,
                    .target = "100"},
                   [&](u32 t, u32 k) { return in[8 * t + k]; });
    }
}

void all() {
    if (isSm100()) wideVectors();
    widths();
    addresses();
    modifiers();
    hints();
}

}  // namespace

int main() { return inEveryMode("memory", all); }
