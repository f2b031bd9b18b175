// Table-driven cases of the checker: a kernel, a launch and the finding that must come of it, or none.
//
// Every run of a case is a child process, because settings are read once and a context that failed stays so. In the kernels' source the
// lines at fault end with "// defect", in other functions with "// defect of KERNEL"; a finding must name one of those of its kernel.
#pragma once

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <regex>
#include <set>

#include "harness.h"

namespace cases {

// What a child reports back.
struct Outcome {
    CUresult result;
    bool finished;
    char mismatch[200];  // the first value that differs from what the case expects
};

// The launch that a case describes: arguments, buffers and the values expected afterwards. Lives in the child.
class Run {
public:
    CUmodule module = nullptr;
    CUfunction function = nullptr;
    CUstream stream = nullptr;
    unsigned grid = 1, block = 32, shared = 0;

    template <class T>
    void argument(T value) {
        storage_.emplace_back(sizeof(T) < 8 ? 8 : sizeof(T));
        std::memcpy(storage_.back().data(), &value, sizeof value);
    }
    // Device memory that nothing wrote; freed after the launch.
    CUdeviceptr fresh(size_t bytes) {
        CUdeviceptr p;
        MUST(cuMemAlloc(&p, bytes));
        buffers_.push_back(p);
        return p;
    }
    // `count` words that hold 0, 1, 2, ...
    CUdeviceptr words(size_t count) {
        std::vector<unsigned> host(count);
        for (size_t k = 0; k < count; k++) host[k] = static_cast<unsigned>(k);
        buffers_.push_back(upload(host));
        return buffers_.back();
    }
    // Must hold these words when the kernel has run.
    void expect(CUdeviceptr where, std::vector<unsigned> values) { expected_.emplace_back(where, std::move(values)); }
    void after(std::function<void()> action) { after_.push_back(std::move(action)); }

    void launch(const char* kernel, unsigned threads, std::vector<void*> arguments) {
        CUfunction other;
        MUST(cuModuleGetFunction(&other, module, kernel));
        MUST(cuLaunchKernel(other, 1, 1, 1, threads, 1, 1, 0, stream, arguments.data(), nullptr));
    }
    CUresult launchAndWait() {
        std::vector<void*> pointers;
        for (auto& bytes : storage_) pointers.push_back(bytes.data());
        CUresult r = cuLaunchKernel(function, grid, 1, 1, block, 1, 1, shared, stream, pointers.data(), nullptr);
        for (auto& action : after_) action();
        return r == CUDA_SUCCESS ? cuCtxSynchronize() : r;
    }
    void compare(Outcome& outcome) {
        for (auto& [where, values] : expected_) {
            std::vector<unsigned> got = download<unsigned>(where, values.size());
            for (size_t k = 0; k < values.size() && outcome.mismatch[0] == 0; k++)
                if (got[k] != values[k])
                    std::snprintf(outcome.mismatch, sizeof outcome.mismatch, "word %zu is 0x%x instead of 0x%x", k, got[k], values[k]);
        }
    }
    void freeBuffers() {
        for (CUdeviceptr p : buffers_) MUST(cuMemFree(p));
        buffers_.clear();
    }
    void release() {
        freeBuffers();
        MUST(cuModuleUnload(module));
    }

private:
    std::vector<std::vector<unsigned char>> storage_;
    std::vector<CUdeviceptr> buffers_;
    std::vector<std::pair<CUdeviceptr, std::vector<unsigned>>> expected_;
    std::vector<std::function<void()>> after_;
};

struct Case {
    std::string name;
    const char* kernel;
    std::function<void(Run&)> setup;
    const char* kind = nullptr;  // regular expression for the finding's kind; null: there must be none
    const char* what = "";       // regular expression for its text: address, allocation
    const char* where = "";      // regular expression for block and thread
    CUresult result = CUDA_SUCCESS;
};

inline Case clean(std::string name, const char* kernel, std::function<void(Run&)> setup) {
    return {std::move(name), kernel, std::move(setup), nullptr, "", "", CUDA_SUCCESS};
}

// The PTX of the newer front end runs on the newer architecture.
inline void configure(const char* check, int seed, const char* threads = nullptr, bool newer = false) {
    setenv("SOFTCUDA_CHECK", check, 1);
    setenv("SOFTCUDA_SEED", std::to_string(seed).c_str(), 1);
    setenv("SOFTCUDA_MEMORY", "64M", 1);
    if (threads != nullptr) setenv("SOFTCUDA_THREADS", threads, 1);
    if (newer) setenv("SOFTCUDA_ARCH", "100", 1);
}

struct Child {
    std::string errors;  // what it wrote on stderr
    int status = 0;
    bool ended() const { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }
};

// Runs `body` in a child process; it must end with exit code 0.
inline Child inChild(const std::function<void()>& body) {
    int pipes[2];
    if (pipe(pipes) != 0) std::exit(1);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 2);
        close(pipes[0]);
        close(pipes[1]);
        alarm(60);
        body();
        std::exit(0);
    }
    close(pipes[1]);
    Child result;
    char buffer[4096];
    for (ssize_t n; (n = read(pipes[0], buffer, sizeof buffer)) > 0;) result.errors.append(buffer, static_cast<size_t>(n));
    close(pipes[0]);
    waitpid(child, &result.status, 0);
    return result;
}

// Memory that children write and their parent reads.
template <class T>
T& sharedWithChildren() {
    void* p = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return *static_cast<T*>(p);
}

// The cases of one file of kernels.
class Suite {
public:
    Suite(const std::string& build, const std::string& file) : file_(file) {
        for (const char* suffix : {".ptx", ".sm100.ptx"}) {
            ptx_.push_back(readFile(build + "/tests/kernels/" + file + suffix));
            lines_.push_back(split(ptx_.back()));
        }
        findDefects(split(readFile("tests/kernels/" + file + ".cu")));
    }

    void run(const Case& c) {
        for (int seed = 1; seed <= 5; seed++) once(c, 0, "1", seed);
        once(c, 1, "1", 6);
        once(c, 0, "report", 1);
        once(c, 0, "0", 1);
    }

private:
    static std::vector<std::string> split(const std::string& text) {
        std::vector<std::string> lines;
        std::stringstream in(text);
        for (std::string line; std::getline(in, line);) lines.push_back(line);
        return lines;
    }

    void findDefects(const std::vector<std::string>& source) {
        std::string kernel;
        std::smatch match;
        for (size_t k = 0; k < source.size(); k++) {
            if (std::regex_search(source[k], match, std::regex("__global__.* (\\w+)\\("))) kernel = match[1];
            if (std::regex_search(source[k], match, std::regex("// defect(?: of (\\w+))?$")))
                defects_[match[1].matched ? match.str(1) : kernel].insert(static_cast<int>(k) + 1);
        }
    }

    void once(const Case& c, size_t ptx, const char* check, int seed) {
        outcome_ = {};
        Child child = inChild([&] { execute(c, ptx, check, seed); });
        label_ = c.name + " (" + c.kernel + ", check " + check + ", seed " + std::to_string(seed) + (ptx == 1 ? ", compute_100)" : ")");
        CHECK(child.ended() && outcome_.finished, "%s: the process failed: %s", label_.c_str(), child.errors.c_str());
        std::string mode = check;
        if (c.kind == nullptr) {
            CHECK(outcome_.result == CUDA_SUCCESS, "%s: result %d", label_.c_str(), outcome_.result);
            CHECK(child.errors.empty(), "%s: printed %s", label_.c_str(), child.errors.c_str());
            CHECK(outcome_.mismatch[0] == 0, "%s: %s", label_.c_str(), outcome_.mismatch);
        } else if (mode == "0") {
            // What the device would do without a checker: nothing, or the fault that hardware reports.
            CHECK(outcome_.result == CUDA_SUCCESS || outcome_.result == c.result || outcome_.result == CUDA_ERROR_LAUNCH_TIMEOUT,
                  "%s: result %d", label_.c_str(), outcome_.result);
            CHECK(child.errors.find("softcuda: ") == std::string::npos || outcome_.result != CUDA_SUCCESS, "%s: printed %s", label_.c_str(),
                  child.errors.c_str());
        } else {
            CHECK(outcome_.result == (mode == "report" ? CUDA_SUCCESS : c.result), "%s: result %d", label_.c_str(), outcome_.result);
            checkFindings(c, split(child.errors), lines_[ptx], mode == "report");
        }
    }

    void execute(const Case& c, size_t ptx, const char* check, int seed) {
        configure(check, seed, nullptr, ptx == 1);
        openContext();
        Run run;
        MUST(cuModuleLoadData(&run.module, ptx_[ptx].c_str()));
        MUST(cuModuleGetFunction(&run.function, run.module, c.kernel));
        c.setup(run);
        outcome_.result = run.launchAndWait();
        if (c.kind == nullptr && outcome_.result == CUDA_SUCCESS) run.compare(outcome_);
        if (outcome_.result == CUDA_SUCCESS) run.release();
        outcome_.finished = true;
    }

    // In mode fail one finding, in mode report each one once; the one that is expected comes first.
    void checkFindings(const Case& c, const std::vector<std::string>& errors, const std::vector<std::string>& ptx, bool report) {
        static const std::regex form(
            "softcuda: ([^:]+): (.*); kernel (\\w+)(?: in function \\S+)? at (\\S+):(\\d+), PTX line (\\d+) '([^']*)', "
            "(block \\(\\d+,\\d+,\\d+\\), thread \\(\\d+,\\d+,\\d+\\)).*");
        std::set<std::string> sites;
        int expected = 0;
        for (const std::string& line : errors) {
            std::smatch m;
            bool matches = std::regex_match(line, m, form);
            CHECK(matches, "%s: not a finding: %s", label_.c_str(), line.c_str());
            if (!matches) continue;
            CHECK(sites.insert(m.str(1) + m.str(6)).second, "%s: told twice: %s", label_.c_str(), line.c_str());
            if (!std::regex_match(m.str(1), std::regex(c.kind)) || !std::regex_search(m.str(2), std::regex(c.what)) ||
                !std::regex_search(m.str(8), std::regex(c.where)))
                continue;
            expected++;
            checkPlace(c, m, ptx);
        }
        CHECK(report ? expected >= 1 : expected == 1 && errors.size() == 1, "%s: expected one '%s' with '%s' and '%s', got %zu lines:\n%s",
              label_.c_str(), c.kind, c.what, c.where, errors.size(), join(errors).c_str());
    }

    // Kernel, source line, and a PTX line that holds the instruction named.
    void checkPlace(const Case& c, const std::smatch& m, const std::vector<std::string>& ptx) {
        std::string file = m[4], line = m[0];
        CHECK(m[3] == c.kernel, "%s: another kernel: %s", label_.c_str(), line.c_str());
        CHECK(file.size() >= file_.size() + 3 && file.compare(file.size() - file_.size() - 3, std::string::npos, file_ + ".cu") == 0,
              "%s: another file: %s", label_.c_str(), line.c_str());
        CHECK(defects_[c.kernel].count(std::stoi(m[5])) == 1, "%s: another source line: %s", label_.c_str(), line.c_str());
        size_t number = std::stoul(m[6]);
        std::string opcode = std::regex_replace(m.str(7), std::regex("^(@!?\\S+ +)?(\\S+).*"), "$2");
        CHECK(number >= 1 && number <= ptx.size() && ptx[number - 1].find(opcode) != std::string::npos, "%s: another PTX line: %s",
              label_.c_str(), line.c_str());
    }

    static std::string join(const std::vector<std::string>& lines) {
        std::string all;
        for (const auto& line : lines) all += line + "\n";
        return all;
    }

    std::string file_, label_;
    std::vector<std::string> ptx_;
    std::vector<std::vector<std::string>> lines_;
    std::map<std::string, std::set<int>> defects_;
    Outcome& outcome_ = sharedWithChildren<Outcome>();
};

// "1", "2", ... as words.
inline std::vector<unsigned> counting(size_t count, unsigned from = 0) {
    std::vector<unsigned> words(count);
    for (size_t k = 0; k < count; k++) words[k] = from + static_cast<unsigned>(k);
    return words;
}

}  // namespace cases
