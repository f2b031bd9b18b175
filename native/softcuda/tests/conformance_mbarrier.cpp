// Conformance of mbarriers, fences and nanosleep: random sequences of operations against a model, a pipeline between warps, arrivals by
// cp.async, messages between blocks; and that misuse is found.
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "conformance_values.h"
#include "harness.h"

using namespace conformance;

namespace {

constexpr u32 kUntouched = 0xabababab;

// With CONFORMANCE_PTX=FOLDER every module is written there, for ptxas to judge.
void keepPtx(const std::string& ptx) {
    static int number = 0;
    const char* folder = std::getenv("CONFORMANCE_PTX");
    if (folder != nullptr) std::ofstream(std::string(folder) + "/conformance_mbarrier." + std::to_string(number++) + ".sm_90.ptx") << ptx;
}

// A kernel with %in and %out (64-bit), %t, %lane, %warp and %block, some registers, and shared memory: `bars` (1024 bytes) and `data`.
std::string kernelText(const std::string& body) {
    return ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 pi, .param .u64 po)\n{\n"
           ".shared .align 16 .b64 bars[128];\n.shared .align 16 .b32 data[1024];\n"
           ".reg .b32 %t, %lane, %warp, %block, %bar, %x<20>;\n.reg .b64 %in, %out, %bar64, %any, %w<8>, %s<99>;\n.reg .pred %p, %q, "
           "%r;\n"
           "ld.param.u64 %in, [pi];\nld.param.u64 %out, [po];\nmov.u32 %t, %tid.x;\nmov.u32 %block, %ctaid.x;\n"
           "and.b32 %lane, %t, 31;\nshr.u32 %warp, %t, 5;\n" +
           body + "\nret;\n}\n";
}

// Runs it; the code of the launch, and what is left in the output.
CUresult launch(const std::string& body, const std::vector<u32>& in, std::vector<u32>& out, u32 blocks, u32 threads) {
    std::string ptx = kernelText(body);
    keepPtx(ptx);
    CUmodule module;
    CUfunction function;
    MUST(cuModuleLoadData(&module, ptx.c_str()));
    MUST(cuModuleGetFunction(&function, module, "k"));
    CUdeviceptr input = upload(in), output = upload(out);
    void* arguments[] = {&input, &output};
    MUST(cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, nullptr, arguments, nullptr));
    CUresult result = cuCtxSynchronize();
    if (result != CUDA_SUCCESS) return result;
    out = download<u32>(output, out.size());
    for (CUdeviceptr p : {input, output}) MUST(cuMemFree(p));
    MUST(cuModuleUnload(module));
    return result;
}

// --- Sequences of operations -----------------------------------------------------------------------------------------------------------

struct Model {
    u32 pending = 0, expected = 0;
    int transactions = 0;
    u32 phase = 0;
    bool live = false;

    void finish() {
        if (pending != 0 || transactions != 0) return;
        phase++;
        pending = expected;
    }
    bool arrive(u32 count, u32 expects, bool drop, bool mayComplete) {
        if (!live || pending < count || (!mayComplete && pending == count) || (drop && expected <= count)) return false;
        transactions += static_cast<int>(expects);
        if (drop) expected -= count;
        pending -= count;
        if (mayComplete) finish();
        return true;
    }
};

// A state that an arrival gave: before it, the mbarrier was in this phase and had so many arrivals pending.
struct Token {
    u32 phase, pending;
};

// One program for all lanes: each has its own mbarrier; some operations are done in odd lanes only.
class Sequence {
public:
    explicit Sequence(u64 seed) : random_(seed) {
        body_ =
            "and.b32 %x0, %lane, 1;\nsetp.ne.u32 %p, %x0, 0;\nmov.u32 %bar, bars;\nmad.lo.u32 %bar, %t, 8, %bar;\n"
            "mov.u64 %bar64, bars;\nmad.wide.u32 %bar64, %t, 8, %bar64;\ncvta.shared.u64 %any, %bar64;\n"
            "mad.wide.u32 %out, %t, 256, %out;\n";
        initialise();
        while (steps_ < 60) step();
    }

    void run() {
        constexpr u32 kThreads = 64;
        std::vector<u32> out(64 * kThreads, kUntouched);
        CUresult result = launch(body_, {0}, out, 1, kThreads);
        CHECK(result == CUDA_SUCCESS, "code %d from\n%s", result, body_.c_str());
        for (u32 t = 0; t < kThreads; t++)
            for (u32 k = 0; k < results_; k++) {
                u32 wanted = expected_[t & 1][k], got = out[64 * t + k];
                CHECK(got == wanted, "thread %u, result %u of '%s': %x, expected %x", t, k, texts_[k].c_str(), got, wanted);
            }
    }

private:
    u32 below(u32 limit) { return static_cast<u32>(random_.next() % limit); }

    // The address in one of three ways.
    std::string place(const std::string& operation) {
        switch (below(3)) {
            case 0:
                return operation + ".shared.b64 ";
            case 1:
                return operation + ".shared::cta.b64 ";
            default:
                return operation + ".b64 ";
        }
    }
    static std::string address(const std::string& text) {
        return text.find(".shared.") != std::string::npos      ? "[%bar]"
               : text.find("shared::cta") != std::string::npos ? "[%bar64]"
                                                               : "[%any]";
    }

    // f changes one model, or says that it must not be done there. Odd lanes have model 1.
    bool apply(bool oddOnly, const std::function<bool(Model&, u32 lanes)>& f) {
        Model kept[2] = {models_[0], models_[1]};
        bool fine = f(models_[1], 1) && (oddOnly || f(models_[0], 0));
        if (!fine) models_[0] = kept[0], models_[1] = kept[1];
        return fine;
    }
    void emit(bool oddOnly, const std::string& text) {
        body_ += (oddOnly ? "@%p " : "") + text + ";\n";
        steps_++;
    }
    // A 32-bit result in %x1.
    void result(bool oddOnly, const std::string& text, const u32 (&values)[2]) {
        emit(oddOnly, "st.global.u32 [%out+" + std::to_string(4 * results_) + "], %x1");
        expected_[0].push_back(oddOnly ? kUntouched : values[0]);
        expected_[1].push_back(values[1]);
        texts_.push_back(text);
        results_++;
    }

    void initialise() {
        u32 count = 1 + below(5);
        for (Model& model : models_) model = {count, count, 0, 0, true};
        std::string text = place("mbarrier.init");
        emit(false, text + address(text) + ", " + std::to_string(count));
        tokens_[0].clear(), tokens_[1].clear();
    }

    void step() {
        bool odd = below(3) == 0;
        u32 kind = below(12);
        if (kind < 5)
            arrive(odd, kind);
        else if (kind < 7)
            transact(odd, kind == 5);
        else if (kind < 9)
            waitForToken(odd, kind == 7);
        else if (kind < 11)
            waitForParity(odd, kind == 9);
        else if (below(3) == 0)
            restart();
    }

    void arrive(bool odd, u32 kind) {
        bool drop = kind == 1, noComplete = kind == 2, expects = kind == 3, counted = kind != 4;
        u32 number = 1 + below(3), count = counted && !expects ? number : 1;
        Token tokens[2] = {{models_[0].phase, models_[0].pending}, {models_[1].phase, models_[1].pending}};
        if (!apply(odd, [&](Model& m, u32) { return m.arrive(count, expects ? number : 0, drop, !noComplete); })) return;
        std::string name = std::string("mbarrier.") + (drop ? "arrive_drop" : "arrive") +
                           (noComplete ? ".noComplete"
                            : expects  ? ".expect_tx"
                                       : "");
        if (below(2)) name += ".release.cta";
        std::string text = place(name);
        bool sink = below(4) == 0;
        std::string state = sink ? "_" : "%s" + std::to_string(states_++);
        emit(odd, text + state + ", " + address(text) + (counted ? ", " + std::to_string(number) : ""));
        if (sink) return;
        tokens_[0].push_back(tokens[0]), tokens_[1].push_back(tokens[1]);
        known_.push_back(!odd);
        if (!noComplete) return;
        emit(odd, "mbarrier.pending_count.b64 %x1, " + state);
        result(odd, "pending_count", {tokens[0].pending, tokens[1].pending});
    }

    void transact(bool odd, bool expect) {
        int count = 1 + static_cast<int>(below(100));
        if (!expect) count = std::min(models_[1].transactions, odd ? count : models_[0].transactions);
        if (count <= 0) return;
        bool done = apply(odd, [&](Model& m, u32) {
            m.transactions += expect ? count : -count;
            if (!expect) m.finish();
            return true;
        });
        if (!done) return;
        std::string text = expect ? "mbarrier.expect_tx.relaxed.cta.shared.b64 " : "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 ";
        emit(odd, text + address(text) + ", " + std::to_string(count));
    }

    // Only the current phase and the one before may be asked for.
    void waitForToken(bool odd, bool test) {
        if (tokens_[1].empty()) return;
        u32 which = below(static_cast<u32>(tokens_[1].size()));
        if (!odd && !known_[known_.size() - tokens_[1].size() + which]) return;
        u32 values[2];
        for (u32 k : {0, 1}) {
            if (odd && k == 0) continue;
            u32 passed = models_[k].phase - tokens_[k][which].phase;
            if (passed > 1) return;
            values[k] = passed;
        }
        std::string text = place(test ? "mbarrier.test_wait" : below(2) ? "mbarrier.try_wait" : "mbarrier.try_wait.acquire.cta");
        u32 state = states_ - static_cast<u32>(tokens_[1].size()) + which;
        waited(odd, text, "%s" + std::to_string(state), test, values);
    }

    void waitForParity(bool odd, bool test) {
        u32 parity = below(2);
        u32 values[2] = {(models_[0].phase & 1) != parity, (models_[1].phase & 1) != parity};
        std::string text = place(test ? "mbarrier.test_wait.parity" : "mbarrier.try_wait.parity");
        waited(odd, text, std::to_string(parity), test, values);
    }

    void waited(bool odd, const std::string& text, const std::string& operand, bool test, const u32 (&values)[2]) {
        emit(odd, text + "%q, " + address(text) + ", " + operand + (!test && below(2) ? ", 100" : ""));
        emit(odd, "selp.u32 %x1, 1, 0, %q");
        result(odd, text, values);
    }

    void restart() {
        std::string text = place("mbarrier.inval");
        emit(false, text + address(text));
        initialise();
    }

    Random random_;
    Model models_[2];
    std::string body_;
    u32 steps_ = 0, results_ = 0, states_ = 0;
    std::vector<u32> expected_[2];
    std::vector<std::string> texts_;
    std::vector<Token> tokens_[2];
    std::vector<bool> known_;  // of each state: whether lanes of both kinds have it
};

// --- Warps that meet at mbarriers -------------------------------------------------------------------------------------------------------

// Spins until the phase of this parity (a register or number) is complete.
std::string waitFor(const std::string& label, const std::string& address, const std::string& parity, bool test = false) {
    return label + ":\nmbarrier." + (test ? "test" : "try") + "_wait.parity.shared.b64 %r, [" + address + "], " + parity + ";\n@!%r bra " +
           label + ";\n";
}

std::string initialiseBy(const std::string& predicate, u32 offset, u32 count) {
    return "@" + predicate + " mbarrier.init.shared.b64 [bars+" + std::to_string(offset) + "], " + std::to_string(count) + ";\n";
}

// Warp 0 fills two stages in turn, three warps read them. full: bars+0, +8, of 32 arrivals; empty: bars+16, +24, of 96.
void pipeline(bool test) {
    constexpr u32 kRounds = 21;
    std::string body = "setp.eq.u32 %p, %t, 0;\n" + initialiseBy("%p", 0, 32) + initialiseBy("%p", 8, 32) + initialiseBy("%p", 16, 96) +
                       initialiseBy("%p", 24, 96) +
                       "bar.sync 0;\nmov.u32 %x0, 0;\nmov.u32 %x9, 0;\n"
                       "mov.u32 %x1, bars;\nmov.u32 %x2, data;\nsetp.ne.u32 %q, %warp, 0;\n"
                       "loop:\n"
                       // %x3: stage, %x4: parity of this round, %bar: full[stage], %x5: its 128 bytes
                       "and.b32 %x3, %x0, 1;\nshr.u32 %x4, %x0, 1;\nand.b32 %x4, %x4, 1;\nmad.lo.u32 %bar, %x3, 8, %x1;\n"
                       "mad.lo.u32 %x5, %x3, 128, %x2;\n@%q bra consume;\n"
                       // The stage is empty when the phase before this one is complete.
                       "xor.b32 %x6, %x4, 1;\nadd.u32 %x7, %bar, 16;\n" +
                       waitFor("empty", "%x7", "%x6", test) +
                       "mad.lo.u32 %x8, %lane, 4, %x5;\nmad.lo.u32 %x6, %x0, 100, %lane;\nst.shared.u32 [%x8], %x6;\n"
                       "mbarrier.arrive.shared.b64 _, [%bar];\nbra next;\n"
                       "consume:\n" +
                       waitFor("full", "%bar", "%x4", test) +
                       // Another lane's word.
                       "add.u32 %x6, %lane, %warp;\nand.b32 %x6, %x6, 31;\nmad.lo.u32 %x8, %x6, 4, %x5;\nld.shared.u32 %x6, [%x8];\n"
                       "mad.lo.u32 %x9, %x9, 3, %x6;\nmbarrier.arrive.shared.b64 _, [%bar+16];\n"
                       "next:\nadd.u32 %x0, %x0, 1;\nsetp.lt.u32 %p, %x0, " +
                       std::to_string(kRounds) + ";\n@%p bra loop;\nmad.wide.u32 %out, %t, 4, %out;\nst.global.u32 [%out], %x9;\n";
    std::vector<u32> out(128, kUntouched);
    CUresult result = launch(body, {0}, out, 1, 128);
    CHECK(result == CUDA_SUCCESS, "the pipeline ends with code %d", result);
    for (u32 t = 0; t < 128; t++) {
        u32 wanted = 0;
        for (u32 round = 0; t >= 32 && round < kRounds; round++) wanted = wanted * 3 + round * 100 + (t % 32 + t / 32) % 32;
        CHECK(out[t] == wanted, "pipeline, thread %u: %u, expected %u", t, out[t], wanted);
    }
}

// Each of 64 threads copies 16 bytes; others read them when the mbarrier's phase is complete.
std::string copies(const std::string& arrive, u32 count, const std::string& wait) {
    return "setp.eq.u32 %p, %t, 0;\n" + initialiseBy("%p", 40, count) +
           "bar.sync 0;\nmad.wide.u32 %w0, %t, 16, %in;\nmov.u32 %x0, data;\nmad.lo.u32 %x1, %t, 16, %x0;\n"
           "cp.async.cg.shared.global [%x1], [%w0], 16;\n" +
           arrive + wait + "xor.b32 %x2, %t, 33;\nmad.lo.u32 %x1, %x2, 16, %x0;\nld.shared.u32 %x3, [%x1+4];\n" +
           "mad.wide.u32 %out, %t, 4, %out;\nst.global.u32 [%out], %x3;\n";
}

void asynchronousCopies() {
    std::vector<u32> in(256);
    for (u32 k = 0; k < 256; k++) in[k] = 7 * k + 1;
    std::string wait = waitFor("again", "bars+40", "0");
    const std::pair<const char*, std::string> forms[] = {
        {"noinc", copies("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [bars+40];\n", 64, wait)},
        {"inc", copies("cp.async.mbarrier.arrive.shared.b64 [bars+40];\nmbarrier.arrive.shared.b64 _, [bars+40];\n", 64, wait)},
        {"generic", copies("mov.u64 %w1, bars;\ncvta.shared.u64 %w1, %w1;\ncp.async.mbarrier.arrive.noinc.b64 [%w1+40];\n", 64, wait)},
        {"half the lanes", copies("and.b32 %x4, %t, 1;\nsetp.eq.u32 %q, %x4, 0;\n@%q cp.async.mbarrier.arrive.noinc.shared.b64 [bars+40];\n"
                                  "@!%q cp.async.wait_all;\n@!%q mbarrier.arrive.shared.b64 _, [bars+40];\n",
                                  64, wait)}};
    for (const auto& [name, body] : forms) {
        std::vector<u32> out(64, kUntouched);
        CUresult result = launch(body, in, out, 1, 64);
        CHECK(result == CUDA_SUCCESS, "cp.async, %s: code %d", name, result);
        for (u32 t = 0; t < 64; t++) CHECK(out[t] == in[4 * (t ^ 33) + 1], "cp.async, %s, thread %u: %u", name, t, out[t]);
    }
}

// --- Fences and sleeping -----------------------------------------------------------------------------------------------------------------

void fences() {
    std::string all;
    for (const char* text : {"membar.cta",
                             "membar.gl",
                             "membar.sys",
                             "fence.sc.cta",
                             "fence.sc.cluster",
                             "fence.sc.gpu",
                             "fence.sc.sys",
                             "fence.acq_rel.cta",
                             "fence.acq_rel.cluster",
                             "fence.acq_rel.gpu",
                             "fence.acq_rel.sys",
                             "fence.acquire.gpu",
                             "fence.release.cta",
                             "fence.cta",
                             "fence.gpu",
                             "fence.proxy.alias",
                             "fence.proxy.async",
                             "fence.proxy.async.global",
                             "fence.proxy.async.shared::cta",
                             "fence.mbarrier_init.release.cluster",
                             "membar.proxy.alias",
                             "nanosleep.u32 20",
                             "nanosleep.u32 %t",
                             "griddepcontrol.wait",
                             "griddepcontrol.launch_dependents"})
        all += std::string(text) + ";\n@%p " + text + ";\nadd.u32 %x0, %x0, 1;\n";
    std::string body = "mov.u32 %x0, 0;\nand.b32 %x1, %lane, 5;\nsetp.eq.u32 %p, %x1, 4;\n" + all;
    std::vector<u32> out(96, kUntouched);
    CUresult result = launch(body + "mad.wide.u32 %out, %t, 4, %out;\nst.global.u32 [%out], %x0;\n", {0}, out, 1, 96);
    CHECK(result == CUDA_SUCCESS, "fences: code %d", result);
    for (u32 t = 0; t < 96; t++) CHECK(out[t] == 25, "fences, thread %u: %u", t, out[t]);
}

// Each block waits for a message from the next one, then sends its own; the last one starts. Whoever runs first must give way.
void messages(const std::string& sleep) {
    constexpr u32 kBlocks = 12;
    std::string body =
        "mad.wide.u32 %w0, %block, 8, %out;\nsetp.eq.u32 %p, %block, " + std::to_string(kBlocks - 1) +
        ";\nmov.u32 %x1, 1;\n@%p bra send;\nspin:\nld.volatile.global.u32 %x0, [%w0+12];\nsetp.eq.u32 %q, %x0, 0;\n@!%q bra got;\n" +
        sleep + "bra spin;\ngot:\nfence.acq_rel.gpu;\nld.global.u32 %x1, [%w0+8];\nmad.lo.u32 %x1, %x1, 2, %block;\n" +
        "send:\nsetp.eq.u32 %q, %t, 0;\n@%q st.global.u32 [%w0], %x1;\nmembar.gl;\n@%q st.volatile.global.u32 [%w0+4], %q1;\n";
    body.replace(body.find("%q1"), 3, "1");
    std::vector<u32> out(2 * kBlocks, 0);
    CUresult result = launch(body, {0}, out, kBlocks, 64);
    CHECK(result == CUDA_SUCCESS, "messages: code %d", result);
    u32 wanted = 1;
    for (u32 block = kBlocks - 1; block-- > 0;) {
        wanted = 2 * wanted + block;
        CHECK(out[2 * block] == wanted, "message of block %u: %u, expected %u", block, out[2 * block], wanted);
    }
}

// --- Misuse
// --------------------------------------------------------------------------------------------------------------------------------

// Runs the kernel in a child process; what it wrote on stderr.
std::string finding(const std::string& body, u32 threads, CUresult& code) {
    int pipes[2];
    if (pipe(pipes) != 0) std::exit(1);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 2);
        setenv("SOFTCUDA_CHECK", "1", 1);
        openContext();
        std::vector<u32> out(1024, 0);
        std::_Exit(launch(body, std::vector<u32>(256, 5), out, 1, threads) & 0xff);
    }
    close(pipes[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = read(pipes[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
    close(pipes[0]);
    int status;
    waitpid(child, &status, 0);
    code = WIFEXITED(status) ? static_cast<CUresult>(WEXITSTATUS(status)) : CUDA_ERROR_UNKNOWN;
    return text;
}

void found(const char* what, const std::string& body, u32 threads, const char* words) {
    CUresult code;
    std::string text = finding(body, threads, code);
    CHECK(code == static_cast<CUresult>(CUDA_ERROR_LAUNCH_FAILED & 0xff), "%s: code %d", what, code);
    CHECK(text.find(words) != std::string::npos, "%s: '%s' does not say '%s'", what, text.c_str(), words);
}

void misuse() {
    std::string init = "setp.eq.u32 %p, %t, 0;\n" + initialiseBy("%p", 0, 32), sync = "bar.sync 0;\n";
    found("an mbarrier that nothing initialised", "mbarrier.arrive.shared.b64 _, [bars];\n", 32, "never written");
    found("an mbarrier after its end", init + "@%p mbarrier.inval.shared.b64 [bars];\n" + sync + "mbarrier.arrive.shared.b64 _, [bars];\n",
          32, "not initialised");
    found("an mbarrier initialised without a barrier", init + "setp.ne.u32 %q, %warp, 0;\n@%q mbarrier.arrive.shared.b64 _, [bars];\n", 64,
          "byte 0 of shared memory");
    found("too many arrivals", init + sync + "mbarrier.arrive.shared.b64 _, [bars], 3;\n", 32, "arrivals where");
    found("a count of zero", "mbarrier.init.shared.b64 [bars], 0;\n", 1, "for 0 arrivals");
    found("missing arrivals", init + sync + "@%p mbarrier.arrive.shared.b64 _, [bars];\n" + waitFor("again", "bars", "0"), 64,
          "31 of 32 arrivals");
    found("a phase completed by .noComplete", init + sync + "@%p mbarrier.arrive.noComplete.shared.b64 _, [bars], 32;\n", 32,
          ".noComplete");
    std::string send =
        "setp.eq.u32 %q, %warp, 0;\nmov.u32 %x0, data;\nmad.lo.u32 %x0, %lane, 4, %x0;\n"
        "@%q st.shared.u32 [%x0], %lane;\n@%q mbarrier.arrive.shared.b64 _, [bars];\n";
    CUresult code;
    std::string text = finding(init + sync + send + waitFor("again", "bars", "0") + "ld.shared.u32 %x1, [%x0];\n", 64, code);
    CHECK(code == CUDA_SUCCESS && text.empty(), "data read after its mbarrier: %d, %s", code, text.c_str());
    std::string late = "@!%q mbarrier.test_wait.parity.shared.b64 %r, [bars+8], 0;\nld.shared.u32 %x1, [%x0];\n";
    found("data read without its mbarrier", init + initialiseBy("%p", 8, 1) + sync + send + late, 64, "shared");
    found("data of cp.async read before its mbarrier's phase ends",
          copies("cp.async.mbarrier.arrive.noinc.shared.b64 [bars+40];\n", 64, "bar.sync 0;\n"), 64, "cp.async");
}

void refused() {
    for (const char* text : {"fence.proxy.tensormap::generic.release.gpu;", "mbarrier.arrive.shared::cluster.b64 _, [%bar];",
                             "nanosleep.u64 %in;", "mbarrier.wait.shared.b64 %p, [%bar], %in;", "membar.block;"}) {
        CUmodule module;
        CHECK(cuModuleLoadData(&module, kernelText(text).c_str()) != CUDA_SUCCESS, "%s is taken", text);
    }
}

}  // namespace

int main() {
    misuse();
    openContext();
    for (u64 seed = 1; seed <= 24; seed++) Sequence(seed).run();
    for (bool test : {false, true}) pipeline(test);
    asynchronousCopies();
    fences();
    messages("");
    messages("nanosleep.u32 100;\n");
    refused();
    return report("conformance_mbarrier");
}
