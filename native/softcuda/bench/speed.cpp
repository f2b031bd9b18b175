// How fast softcuda executes: lane-instructions a second on rmsnorm and on an arithmetic mix, nanoseconds of one mma.
// Arguments: build folder, PTX of rmsnorm. Each measurement is a child process, because settings are read once; SOFTCUDA_THREADS=1.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "../tests/harness.h"

namespace {

struct Work {
    const char* label;
    std::string ptx;
    const char* kernel;
};

constexpr int kRows = 512, kWidth = 2048, kRounds = 4096, kBlocks = 16;

void launch(const Work& work, CUfunction function, CUdeviceptr out, CUdeviceptr in, CUdeviceptr weight) {
    if (std::string(work.kernel).find("rmsnorm") != std::string::npos) {
        float eps = 1e-5f;
        int width = kWidth;
        void* arguments[] = {&in, &weight, &eps, &width, &out};
        MUST(cuLaunchKernel(function, kRows, 1, 1, 256, 1, 1, 0, nullptr, arguments, nullptr));
    } else {
        int rounds = kRounds;
        void* arguments[] = {&out, &rounds};
        MUST(cuLaunchKernel(function, kBlocks, 1, 1, 32, 1, 1, 0, nullptr, arguments, nullptr));
    }
    MUST(cuCtxSynchronize());
}

// Seconds of the fastest of five launches.
double measure(const Work& work) {
    openContext();
    CUmodule module;
    CUfunction function;
    MUST(cuModuleLoadData(&module, readFile(work.ptx).c_str()));
    MUST(cuModuleGetFunction(&function, module, work.kernel));
    std::vector<float> values(static_cast<size_t>(kRows) * kWidth, 0.5f);
    CUdeviceptr in = upload(values), out = upload(values), weight = upload(values);
    launch(work, function, out, in, weight);
    double best = 1e9;
    for (int i = 0; i < 5 && std::getenv("SOFTCUDA_COUNT") == nullptr; i++) {
        auto begin = std::chrono::steady_clock::now();
        launch(work, function, out, in, weight);
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    for (CUdeviceptr p : {in, out, weight}) MUST(cuMemFree(p));
    return best;
}

double inChild(const Work& work, const char* check, const char* countFile) {
    int pipes[2];
    if (pipe(pipes) != 0) std::exit(1);
    if (fork() == 0) {
        setenv("SOFTCUDA_THREADS", "1", 1);
        setenv("SOFTCUDA_CHECK", check, 1);
        if (countFile != nullptr) setenv("SOFTCUDA_COUNT", countFile, 1);
        double seconds = measure(work);
        bool sent = write(pipes[1], &seconds, sizeof seconds) == sizeof seconds;
        std::exit(sent ? 0 : 1);
    }
    double seconds = 0;
    int status;
    bool received = read(pipes[0], &seconds, sizeof seconds) == sizeof seconds;
    wait(&status);
    if (!received || status != 0) {
        std::fprintf(stderr, "%s: the measurement failed\n", work.label);
        std::exit(1);
    }
    return seconds;
}

double counted(const std::string& json, const char* key) {
    std::size_t at = json.find(std::string("\"") + key + "\"");
    return at == std::string::npos ? 0 : std::atof(json.c_str() + json.find(':', at) + 1);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: speed BUILD_FOLDER RMSNORM_PTX\n");
        return 2;
    }
    std::string build = argv[1], counts = build + "/bench/counts.json";
    for (const Work& work :
         {Work{"rmsnorm, 512 x 2048", argv[2], "belay_rmsnorm_f32"}, Work{"arithmetic mix", build + "/bench/speed.ptx", "mix_loop"},
          Work{"mma.m16n8k16 bf16", build + "/bench/speed.ptx", "mma_loop"}}) {
        inChild(work, "0", counts.c_str());
        double lanes = counted(readFile(counts), "laneInstructions");
        for (const char* check : {"0", "1"}) {
            double seconds = inChild(work, check, nullptr);
            std::printf("%-22s checker %-3s  %6.3f G lane-instructions/s", work.label, *check == '0' ? "off" : "on",
                        lanes / seconds * 1e-9);
            if (std::string(work.kernel) == "mma_loop") std::printf("  %6.1f ns a mma and its loop", seconds * 1e9 / kRounds / kBlocks);
            std::printf("\n");
            std::fflush(stdout);  // before the next fork, which would print it again
        }
    }
    return 0;
}
