// What the tests of the driver API share: expected error codes, groups that run in a process of their own, launches, a gate.
//
// Settings are read once in a process and a fault stays with it, so each group of checks is a child: group() forks, sets the
// environment, runs the checks and adds their number and failures to this process's. The parent itself never calls the driver.
#pragma once

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <initializer_list>
#include <thread>
#include <utility>

#include "harness.h"

inline std::string nameOf(CUresult result) {
    const char* name = nullptr;
    if (cuGetErrorName(result, &name) != CUDA_SUCCESS || name == nullptr) name = "?";
    return std::string(name) + " (" + std::to_string(result) + ")";
}

// Checks the code that a call returns; where the documentation leaves two codes open, either of them.
#define EXPECT(call, ...)                                                                                                          \
    do {                                                                                                                           \
        CUresult got_ = (call);                                                                                                    \
        bool found_ = false;                                                                                                       \
        std::string wanted_;                                                                                                       \
        for (CUresult code_ : {__VA_ARGS__}) {                                                                                     \
            found_ |= got_ == code_;                                                                                               \
            wanted_ += (wanted_.empty() ? "" : " or ") + nameOf(code_);                                                            \
        }                                                                                                                          \
        checks++;                                                                                                                  \
        if (!found_) {                                                                                                             \
            failures++;                                                                                                            \
            std::fprintf(stderr, "%s:%d: %s gave %s, not %s\n", __FILE__, __LINE__, #call, nameOf(got_).c_str(), wanted_.c_str()); \
        }                                                                                                                          \
    } while (0)
#define OK(call) EXPECT(call, CUDA_SUCCESS)
// For misuse that must not succeed but whose code the documentation does not fix.
#define REFUSED(call)                                                                 \
    do {                                                                              \
        CUresult got_ = (call);                                                       \
        checks++;                                                                     \
        if (got_ == CUDA_SUCCESS) {                                                   \
            failures++;                                                               \
            std::fprintf(stderr, "%s:%d: %s succeeded\n", __FILE__, __LINE__, #call); \
        }                                                                             \
    } while (0)

using Environment = std::vector<std::pair<const char*, std::string>>;

// How a child ended, and what it wrote to stderr.
struct Outcome {
    int code = -1;   // exit code, or -1
    int signal = 0;  // that ended it, or 0
    std::string errors;
    size_t lines() const { return static_cast<size_t>(std::count(errors.begin(), errors.end(), '\n')); }
    bool says(const std::string& text) const { return errors.find(text) != std::string::npos; }
};

// Runs `body` in a child and returns how it ended; checks made in it count here, and if one fails its stderr is passed on.
inline Outcome runChild(const std::function<void()>& body, const Environment& environment = {}) {
    int* shared = static_cast<int*>(mmap(nullptr, 2 * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    int pipes[2];
    if (shared == MAP_FAILED || pipe(pipes) != 0) std::exit(2);
    std::fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 2);
        close(pipes[0]);
        close(pipes[1]);
        for (const auto& [name, value] : environment) setenv(name, value.c_str(), 1);
        alarm(120);
        checks = failures = 0;
        body();
        shared[0] = checks, shared[1] = failures;
        std::exit(0);
    }
    close(pipes[1]);
    Outcome outcome;
    char buffer[4096];
    for (ssize_t n; (n = read(pipes[0], buffer, sizeof buffer)) > 0;) outcome.errors.append(buffer, static_cast<size_t>(n));
    close(pipes[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
    if (shared[1] > 0) std::fprintf(stderr, "%s", outcome.errors.c_str());
    checks += shared[0], failures += shared[1];
    munmap(shared, 2 * sizeof(int));
    return outcome;
}

// A group of checks: a child that must end with 0.
inline void group(const char* name, const std::function<void()>& body, const Environment& environment = {}) {
    Outcome outcome = runChild(body, environment);
    CHECK(outcome.code == 0, "group '%s' ended with exit code %d, signal %d: %s", name, outcome.code, outcome.signal,
          outcome.errors.c_str());
}

inline CUmodule loadModule(const std::string& path) {
    CUmodule module;
    MUST(cuModuleLoadData(&module, readFile(path).c_str()));
    return module;
}

inline CUfunction functionOf(CUmodule module, const char* name) {
    CUfunction function;
    MUST(cuModuleGetFunction(&function, module, name));
    return function;
}

// Launches with one-dimensional geometry and the arguments given by value.
template <class... Arguments>
inline CUresult launch(CUfunction function, unsigned grid, unsigned block, CUstream stream, Arguments... arguments) {
    void* pointers[] = {&arguments..., nullptr};
    return cuLaunchKernel(function, grid, 1, 1, block, 1, 1, 0, stream, pointers, nullptr);
}

template <class T>
inline T* pinned(size_t count) {
    void* memory;
    MUST(cuMemHostAlloc(&memory, count * sizeof(T), 0));
    return static_cast<T*>(memory);
}

inline CUstream newStream(unsigned flags = CU_STREAM_DEFAULT) {
    CUstream stream;
    MUST(cuStreamCreate(&stream, flags));
    return stream;
}

inline CUevent newEvent(unsigned flags = CU_EVENT_DEFAULT) {
    CUevent event;
    MUST(cuEventCreate(&event, flags));
    return event;
}

// Holds up a stream until open(): a host function that waits. It gives up after ten seconds, so that no test hangs.
class Gate {
public:
    explicit Gate(CUstream stream) { MUST(cuLaunchHostFunc(stream, &Gate::wait, this)); }
    void open() { open_ = true; }
    bool passed() const { return passed_; }

private:
    static void CUDA_CB wait(void* self) {
        Gate& gate = *static_cast<Gate*>(self);
        auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!gate.open_ && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        gate.passed_ = gate.open_.load();
    }
    std::atomic<bool> open_{false}, passed_{false};
};
