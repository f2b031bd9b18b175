// The library exports what programs look up: every function in the list of the Java bindings, under its name there.
#include <dlfcn.h>

#include "driver.h"

int main(int, char** argv) {
    std::string build = argv[1];
    std::ifstream list("../../bindings/includes/cuda.txt");
    CHECK(list.good(), "cannot read ../../bindings/includes/cuda.txt");
    void* library = dlopen((build + "/libsoftcuda.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    CHECK(library != nullptr, "%s", dlerror());
    std::string kind, name;
    int functions = 0;
    while (library != nullptr && list >> kind >> name) {
        if (kind != "--include-function") continue;
        functions++;
        CHECK(dlsym(library, name.c_str()) != nullptr, "%s is missing", name.c_str());
    }
    CHECK(functions >= 70, "%d functions in the list", functions);
    CHECK(library == nullptr || dlsym(library, "_ZN8softcuda3runERKNS_6LaunchE") == nullptr, "internals are exported");
    return report("driver_exports");
}
