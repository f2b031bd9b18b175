// Modules: loading, unloading, what they hold.
#include "module.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "capture.h"
#include "image.h"
#include "limits.h"

namespace softcuda {
namespace {

// The options of cuModuleLoadDataEx that mean something here: where messages go.
class JitOptions {
public:
    JitOptions(unsigned count, CUjit_option* options, void** values) : count_(count), options_(options), values_(values) {}

    bool valid() const {
        if (count_ > 0 && (options_ == nullptr || values_ == nullptr)) return false;
        for (unsigned k = 0; k < count_; k++)
            if (options_[k] < 0 || options_[k] >= CU_JIT_NUM_OPTIONS) return false;
        return true;
    }

    // Writes the logs, and into the options of their sizes how long they are.
    void write(const std::string& error) {
        log(CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, "");
        log(CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, error);
    }

private:
    void** valueOf(CUjit_option option) {
        for (unsigned k = 0; k < count_; k++)
            if (options_[k] == option) return &values_[k];
        return nullptr;
    }

    void log(CUjit_option bufferOption, CUjit_option sizeOption, const std::string& text) {
        void **buffer = valueOf(bufferOption), **size = valueOf(sizeOption);
        if (buffer == nullptr || *buffer == nullptr || size == nullptr) return;
        std::size_t room = static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(*size));
        if (room == 0) return;
        std::size_t length = std::min(text.size(), room - 1);
        std::memcpy(*buffer, text.data(), length);
        static_cast<char*>(*buffer)[length] = 0;
        *size = reinterpret_cast<void*>(length == 0 ? 0 : length + 1);
    }

    unsigned count_;
    CUjit_option* options_;
    void** values_;
};

std::shared_ptr<Module> load(Context& context, const void* image) {
    static std::atomic<u32> modules{0};
    auto module = std::make_shared<Module>();
    module->owner = &context;
    module->program = Program::load(ptxOf(image), "module " + std::to_string(++modules));
    for (const auto& kernel : module->program->kernels()) {
        auto entry = std::make_shared<EntryPoint>();
        entry->owner = &context;
        entry->module = module;
        entry->kernel = kernel.get();
        entry->maxDynamicShared = kSharedWithoutOptIn - std::min(kSharedWithoutOptIn, kernel->staticShared);
        module->functions.push_back(publish<CUfunction>(entry));
    }
    return module;
}

CUresult failed(JitOptions& options, CUresult code, const char* why) {
    options.write(why);
    const char* name = "?";
    cuGetErrorName(code, &name);
    std::fprintf(stderr, "softcuda: %s: %s\n", name, why);
    return code;
}

CUresult load(CUmodule* out, const void* image, JitOptions options) {
    return inContext([&](Context& context) {
        if (out == nullptr || image == nullptr || !options.valid()) return CUDA_ERROR_INVALID_VALUE;
        if (CUresult status = requireNoCapture(context)) return status;
        try {
            *out = publish<CUmodule>(load(context, image));
            options.write("");
            return CUDA_SUCCESS;
        } catch (const ImageError& e) {
            return failed(options, e.code, e.what());
        } catch (const PtxError& e) {
            return failed(options, CUDA_ERROR_INVALID_PTX, e.what());
        }
    });
}

std::shared_ptr<Module> moduleOf(const Context& context, CUmodule handle) {
    auto module = find<Module>(handle);
    return module != nullptr && module->owner == &context ? module : nullptr;
}

}  // namespace

EXPORT CUresult cuModuleLoadData(CUmodule* out, const void* image) { return load(out, image, JitOptions(0, nullptr, nullptr)); }

EXPORT CUresult cuModuleLoadDataEx(CUmodule* out, const void* image, unsigned int count, CUjit_option* options, void** values) {
    return load(out, image, JitOptions(count, options, values));
}

// Launches that are under way keep what they need.
EXPORT CUresult cuModuleUnload(CUmodule handle) {
    return inAnyContext([&](Context& context) {
        auto module = moduleOf(context, handle);
        if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (CUresult status = requireNoCapture(context)) return status;
        for (CUfunction function : module->functions) retire(function);
        retire(handle);
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuModuleGetFunction(CUfunction* out, CUmodule handle, const char* name) {
    return inContext([&](Context& context) {
        if (out == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
        auto module = moduleOf(context, handle);
        if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        const auto& kernels = module->program->kernels();
        for (std::size_t k = 0; k < kernels.size(); k++)
            if (kernels[k]->name == name) {
                *out = module->functions[k];
                return CUDA_SUCCESS;
            }
        return CUDA_ERROR_NOT_FOUND;
    });
}

EXPORT CUresult cuModuleGetFunctionCount(unsigned int* out, CUmodule handle) {
    return inContext([&](Context& context) {
        auto module = moduleOf(context, handle);
        if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = static_cast<unsigned>(module->functions.size());
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuModuleEnumerateFunctions(CUfunction* out, unsigned int count, CUmodule handle) {
    return inContext([&](Context& context) {
        auto module = moduleOf(context, handle);
        if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        std::size_t some = std::min<std::size_t>(count, module->functions.size());
        std::copy_n(module->functions.begin(), some, out);
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuModuleGetGlobal_v2(CUdeviceptr* address, size_t* bytes, CUmodule handle, const char* name) {
    return inContext([&](Context& context) {
        if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
        auto module = moduleOf(context, handle);
        if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        const GlobalVariable* variable = module->program->variable(name);
        if (variable == nullptr) return CUDA_ERROR_NOT_FOUND;
        if (address != nullptr) *address = variable->address;
        if (bytes != nullptr) *bytes = variable->size;
        return CUDA_SUCCESS;
    });
}

}  // namespace softcuda
