// Conformance of what synchronises warps and blocks: mbarriers in a pipeline, arrivals by cp.async, fences, nanosleep, messages between
// blocks; and that misuse of mbarriers is found.
#include <sys/wait.h>
#include <unistd.h>

#include "synchronisation.h"

using namespace conformance;

namespace {

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
    for (bool test : {false, true}) pipeline(test);
    asynchronousCopies();
    fences();
    messages("");
    messages("nanosleep.u32 100;\n");
    refused();
    return report("conformance_fences");
}
