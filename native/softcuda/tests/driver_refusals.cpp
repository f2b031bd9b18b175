// Nothing unknown passes module load: in a module that loads, each form of instruction is given a modifier that does not exist, an opcode
// that does not exist, and one operand too few, and the module must be refused with the line of the change.
#include <set>

#include "driver.h"

namespace {

std::string build;

// An instruction of a PTX text: where its opcode begins and ends, and its line.
struct Form {
    size_t begin, end;
    unsigned line;
    std::string opcode;  // with its modifiers
};

std::vector<Form> formsOf(const std::string& text) {
    std::vector<Form> forms;
    std::set<std::string> seen;
    unsigned line = 0;
    for (size_t start = 0; start < text.size();) {
        size_t stop = std::min(text.find('\n', start), text.size());
        line++;
        size_t begin = text.find_first_not_of(" \t", start);
        if (begin < stop && text[begin] == '@') begin = text.find_first_not_of(" \t", text.find_first_of(" \t", begin));
        size_t end = text.find_first_of(" \t;", begin);
        bool instruction = begin < stop && std::isalpha(static_cast<unsigned char>(text[begin])) && text[stop - 1] == ';' && end < stop;
        if (instruction && seen.insert(text.substr(begin, end - begin)).second)
            forms.push_back({begin, end, line, text.substr(begin, end - begin)});
        start = stop + 1;
    }
    return forms;
}

std::string replaced(const std::string& text, size_t at, size_t count, const char* by) {
    std::string result(text, 0, at);
    result += by;
    return result.append(text, at + count, std::string::npos);
}

void refused(const std::string& text, const Form& form, const char* what) {
    CUmodule module = nullptr;
    char log[2000] = "";
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
    CUresult result = cuModuleLoadDataEx(&module, text.c_str(), 2, options, values);
    CHECK(result == CUDA_ERROR_INVALID_PTX, "%s with %s: %s", form.opcode.c_str(), what, nameOf(result).c_str());
    char place[24];
    std::snprintf(place, sizeof place, ":%u:", form.line);
    CHECK(std::strstr(log, place) != nullptr, "%s with %s: the log does not name line %u: %s", form.opcode.c_str(), what, form.line, log);
}

void changes(const std::string& file) {
    openContext();
    std::string text = readFile(build + "/tests/kernels/" + file);
    CUmodule module = nullptr;
    MUST(cuModuleLoadData(&module, text.c_str()));
    std::vector<Form> forms = formsOf(text);
    CHECK(forms.size() >= 12, "%zu forms in %s", forms.size(), file.c_str());
    for (const Form& form : forms) {
        size_t dot = std::min(form.opcode.find('.'), form.opcode.size());
        refused(replaced(text, form.begin + dot, 0, ".frobnicate"), form, "an unknown modifier");
        refused(replaced(text, form.begin, 0, "q"), form, "an unknown opcode");
        size_t semicolon = text.find(';', form.end), comma = text.rfind(',', semicolon);
        if (comma == std::string::npos || comma < form.end || text.find_first_of("[{(", form.end) < semicolon) continue;
        refused(replaced(text, comma, semicolon - comma, ""), form, "an operand too few");
    }
    OK(cuModuleUnload(module));
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    for (const char* file : {"driver.ptx", "driver_faults.ptx", "checker_async.ptx", "checker_barriers.ptx"})
        group(file, [file] { changes(file); });
    return report("driver_refusals");
}
