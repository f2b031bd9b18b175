// What SOFTCUDA_COUNT writes, against numbers worked out by hand.
#include <cmath>

#include "checker_cases.h"

using cases::Run;

namespace {

std::string build;

// The counters of one kernel.
class Counts {
public:
    Counts(std::string label, const std::string& json, const std::string& kernel) : label_(std::move(label)) {
        size_t at = json.find("{\"kernel\": \"" + kernel + "\"");
        CHECK(at != std::string::npos, "%s: no counters of %s", label_.c_str(), kernel.c_str());
        if (at == std::string::npos) return;
        size_t end = json.find("{\"kernel\"", at + 1);
        json_ = json.substr(at, end == std::string::npos ? end : end - at);
    }
    double operator[](const std::string& key) const {
        size_t at = json_.find("\"" + key + "\": ");
        CHECK(at != std::string::npos, "%s: no %s", label_.c_str(), key.c_str());
        return at == std::string::npos ? -1 : std::atof(json_.c_str() + at + key.size() + 4);
    }
    void expect(const std::string& key, double value) const {
        double got = (*this)[key];
        CHECK(std::abs(got - value) <= 1e-5 * value, "%s: %s is %g instead of %g", label_.c_str(), key.c_str(), got, value);
    }
    double sumOfClasses() const {
        size_t at = json_.find("\"classes\": {"), end = json_.find('}', at);
        double sum = 0;
        for (at = json_.find(": ", at + 12); at < end; at = json_.find(": ", at + 1)) sum += std::atof(json_.c_str() + at + 2);
        return sum;
    }

private:
    std::string label_, json_;
};

using Setup = std::function<void(Run&)>;

// The JSON that a process leaves which launches each kernel as often as told.
std::string counted(const char* check, const std::vector<std::pair<const char*, int>>& kernels, const Setup& setup,
                    const char* suffix = ".ptx") {
    std::string file = build + "/tests/counters.json";
    unlink(file.c_str());
    cases::Child child = cases::inChild([&] {
        cases::configure(check, 1, nullptr, std::string(suffix) == ".sm100.ptx");
        setenv("SOFTCUDA_COUNT", file.c_str(), 1);
        openContext();
        CUmodule module;
        MUST(cuModuleLoadData(&module, readFile(build + "/tests/kernels/counters" + suffix).c_str()));
        for (auto [kernel, times] : kernels)
            for (int k = 0; k < times; k++) {
                Run run;
                run.module = module;
                MUST(cuModuleGetFunction(&run.function, module, kernel));
                setup(run);
                MUST(run.launchAndWait());
                run.freeBuffers();
            }
        MUST(cuModuleUnload(module));
    });
    CHECK(child.ended() && child.errors.empty(), "%s: %s", kernels[0].first, child.errors.c_str());
    return readFile(file);
}

// Counts of one launch; the checker must change none of them.
Counts once(const std::string& label, const char* kernel, const Setup& setup) {
    std::string json = counted("0", {{kernel, 1}}, setup);
    CHECK(counted("1", {{kernel, 1}}, setup) == json, "%s: the checker changes the counters", label.c_str());
    return Counts(label, json, kernel);
}

Setup copying(unsigned blocks, unsigned threads, int stride, int offset, size_t bytes) {
    return [=](Run& r) {
        r.grid = blocks, r.block = threads;
        r.argument(r.fresh(bytes));
        CUdeviceptr in = r.fresh(bytes);
        MUST(cuMemsetD8(in, 1, bytes));
        r.argument(in);
        r.argument(stride);
        r.argument(offset);
    };
}

struct GlobalCase {
    const char* label;
    const char* kernel;
    unsigned blocks, threads;
    int stride, offset;
    // Of the loads, and again of the stores: bytes asked for, sectors; and both together as warp-level requests.
    double bytes, sectors, requests;
    // Sectors that differ, where several warps touch the same; else all.
    double distinct = 0;
};

void globalAccesses() {
    for (const GlobalCase& c : {
             GlobalCase{"coalesced", "copy_words", 4, 128, 1, 0, 2048, 64, 32},
             GlobalCase{"every second word", "copy_words", 4, 128, 2, 0, 2048, 128, 32},
             GlobalCase{"every eighth word", "copy_words", 1, 128, 8, 0, 512, 128, 8},
             GlobalCase{"every 32nd word", "copy_words", 1, 128, 32, 0, 512, 128, 8},
             GlobalCase{"one word off", "copy_words", 1, 32, 1, 1, 128, 5, 2},
             GlobalCase{"eight words off", "copy_words", 1, 32, 1, 8, 128, 4, 2},
             GlobalCase{"the same word", "copy_words", 1, 32, 0, 3, 128, 1, 2},
             GlobalCase{"the same word for four warps", "copy_words", 2, 64, 0, 3, 512, 4, 8, 1},
             GlobalCase{"half a warp", "copy_words", 1, 16, 1, 0, 64, 2, 2},
             GlobalCase{"vectors", "copy_vectors", 2, 64, 1, 0, 2048, 64, 8},
             GlobalCase{"every second vector", "copy_vectors", 2, 64, 2, 0, 2048, 128, 8},
             GlobalCase{"bytes", "copy_bytes", 1, 64, 1, 0, 64, 2, 4},
             GlobalCase{"bytes across a sector's end", "copy_bytes", 1, 32, 1, 16, 32, 2, 2},
             GlobalCase{"a tail of 13 lanes", "copy_guarded", 1, 64, 45, 0, 180, 6, 4},
             GlobalCase{"a warp with nothing to do", "copy_guarded", 1, 64, 32, 0, 128, 4, 2},
         }) {
        Counts counts = once(c.label, c.kernel, copying(c.blocks, c.threads, c.stride, c.offset, 65536));
        counts.expect("launches", 1);
        counts.expect("globalLoadBytes", c.bytes);
        counts.expect("globalStoreBytes", c.bytes);
        counts.expect("globalLoadSectors", c.sectors);
        counts.expect("globalStoreSectors", c.sectors);
        counts.expect("globalLoadDistinct", c.distinct > 0 ? c.distinct : c.sectors);
        counts.expect("globalStoreDistinct", c.distinct > 0 ? c.distinct : c.sectors);
        counts.expect("globalRequests", c.requests);
        counts.expect("coalescing", c.bytes / (32 * c.sectors));
        counts.expect("sharedAccesses", 0);
        counts.expect("mmaFlops", 0);
    }
    once("coalesced", "copy_words", copying(4, 128, 1, 0, 65536)).expect("coalescing", 1);
    once("stride 2", "copy_words", copying(4, 128, 2, 0, 65536)).expect("coalescing", 0.5);
    once("stride 32", "copy_words", copying(1, 128, 32, 0, 65536)).expect("coalescing", 0.125);
}

struct SharedCase {
    const char* label;
    const char* kernel;
    int factor, shift;
    double passes, ideal;  // of one access
};

// Words lie in bank (address / 4) % 32. 8-byte accesses go in halves of a warp, 16-byte ones in quarters.
void sharedAccesses() {
    for (const SharedCase& c : {
             SharedCase{"words", "shared_words", 1, 0, 1, 1},
             SharedCase{"every second word", "shared_words", 2, 0, 2, 1},
             SharedCase{"every fourth word", "shared_words", 4, 0, 4, 1},
             SharedCase{"a column of 32", "shared_words", 32, 0, 32, 1},
             SharedCase{"a column of 33", "shared_words", 33, 0, 1, 1},
             SharedCase{"one word for all", "shared_words", 0, 0, 1, 1},
             SharedCase{"one word for two lanes", "shared_words", 1, 1, 1, 1},
             SharedCase{"bytes", "shared_bytes", 1, 0, 1, 1},
             SharedCase{"one byte a bank's row", "shared_bytes", 128, 0, 32, 1},
             SharedCase{"doubles", "shared_doubles", 1, 0, 2, 2},
             SharedCase{"every second double", "shared_doubles", 2, 0, 4, 2},
             SharedCase{"a column of 16 doubles", "shared_doubles", 16, 0, 32, 2},
             SharedCase{"vectors", "shared_vectors", 1, 0, 4, 4},
             SharedCase{"every second vector", "shared_vectors", 2, 0, 8, 4},
             SharedCase{"a column of 8 vectors", "shared_vectors", 8, 0, 32, 4},
         }) {
        Counts counts = once(c.label, c.kernel, [&](Run& r) {
            r.argument(r.fresh(128));
            r.argument(c.factor);
            r.argument(c.shift);
        });
        counts.expect("sharedAccesses", 2);
        counts.expect("sharedWavefronts", 2 * c.passes);
        counts.expect("sharedIdeal", 2 * c.ideal);
        counts.expect("bankConflicts", c.passes / c.ideal);
    }
}

// ldmatrix.x4 reads eight rows of 16 bytes at a time.
void matricesAndCopies() {
    for (auto [stride, passes] : {std::pair{16, 4.0}, {128, 32.0}, {144, 4.0}, {64, 16.0}}) {
        Counts counts = once("rows " + std::to_string(stride) + " bytes apart", "load_matrices", [stride = stride](Run& r) {
            r.shared = 32 * 144;
            r.argument(r.fresh(128));
            r.argument(stride);
        });
        counts.expect("sharedAccesses", 2);
        counts.expect("sharedWavefronts", 2 * passes);
        counts.expect("sharedIdeal", 8);
    }
    Counts counts = once("cp.async", "copy_async", [](Run& r) {
        r.argument(r.fresh(512));
        r.argument(r.words(128));
    });
    counts.expect("globalLoadBytes", 512);
    counts.expect("globalLoadSectors", 16);
    counts.expect("globalStoreBytes", 512);
    counts.expect("globalStoreSectors", 16);
    counts.expect("sharedAccesses", 2);
    counts.expect("sharedWavefronts", 8);
    counts.expect("sharedIdeal", 8);
}

void branches() {
    for (auto [n, divergent] : {std::pair{16, 1.0}, {32, 0.0}, {64, 0.0}, {0, 0.0}, {33, 1.0}}) {
        Counts counts = once("threads below " + std::to_string(n), "diverge", [n = n](Run& r) {
            r.grid = 3, r.block = 64;
            r.argument(r.words(1));
            r.argument(n);
        });
        counts.expect("branches", 6);
        counts.expect("divergentBranches", 3 * divergent);
        double all = counts["warpInstructions"], lanes = counts["laneInstructions"];
        CHECK(divergent > 0 ? lanes < 32 * all : lanes == 32 * all, "%d: %g lane and %g warp instructions", n, lanes, all);
        counts.expect("laneUse", lanes / (32 * all));
    }
}

void products() {
    auto setup = [](Run& r) {
        r.grid = 4, r.block = 64;
        r.argument(r.fresh(1024));
    };
    Counts half = once("f16", "multiply_half", setup);
    half.expect("mmaFlops", 8 * 3 * 2.0 * 16 * 8 * 16);
    half.expect("matrix", 24);
    Counts tf32 = once("tf32", "multiply_tf32", setup);
    tf32.expect("mmaFlops", 8 * 2.0 * 16 * 8 * 8);
    tf32.expect("matrix", 8);
}

// Instructions in the body of a kernel.
double instructionsOf(const std::string& ptx, const std::string& kernel) {
    size_t at = ptx.find('{', ptx.find(".entry " + kernel + "("));
    std::stringstream body(ptx.substr(at + 1, ptx.find("\n}", at) - at));
    double count = 0;
    for (std::string line; std::getline(body, line);) count += std::regex_search(line, std::regex("^\\s*[a-z@].*;\\s*$"));
    return count;
}

void classes() {
    const double warps = 3 * 2;
    for (const char* suffix : {".ptx", ".sm100.ptx"}) {
        auto setup = [](Run& r) {
            r.grid = 3, r.block = 64;
            r.argument(r.words(1));
        };
        Counts counts(suffix, counted("1", {{"classes", 1}}, setup, suffix), "classes");
        for (auto [name, each] : {std::pair{"float32", 4},
                                  {"special", 2},
                                  {"float64", 1},
                                  {"half", 2},
                                  {"convert", 1},
                                  {"compare", 1},
                                  {"collective", 2},
                                  {"barrier", 3},
                                  {"shared", 2},
                                  {"atomic", 1},
                                  {"matrix", 0}})
            counts.expect(name, warps * each);
        CHECK(counts["logic"] >= warps * 2, "%g logic instructions", counts["logic"]);
        double all = instructionsOf(readFile(build + "/tests/kernels/counters" + suffix), "classes");
        counts.expect("warpInstructions", warps * all);
        counts.expect("laneInstructions", warps * all * 32);
        counts.expect("laneUse", 1);
        CHECK(counts.sumOfClasses() == counts["warpInstructions"], "the classes add up to %g of %g", counts.sumOfClasses(),
              counts["warpInstructions"]);
    }
}

// Several kernels, several launches.
void sums() {
    std::string json = counted("1", {{"copy_words", 3}, {"copy_vectors", 1}, {"copy_words", 2}}, copying(1, 32, 1, 0, 1024));
    CHECK(json.front() == '[' && json.substr(json.size() - 2) == "]\n", "%s", json.c_str());
    Counts words("five launches", json, "copy_words"), vectors("one launch", json, "copy_vectors");
    words.expect("launches", 5);
    words.expect("globalLoadBytes", 5 * 128);
    words.expect("globalLoadDistinct", 5 * 4);
    vectors.expect("launches", 1);
    vectors.expect("globalLoadBytes", 512);
    CHECK(json.find("copy_bytes") == std::string::npos, "a kernel that did not run is counted");
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    globalAccesses();
    sharedAccesses();
    matricesAndCopies();
    branches();
    products();
    classes();
    sums();
    return report("counters");
}
