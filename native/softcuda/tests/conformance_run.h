// How the forms of conformance.h become kernels, run and are judged.
#pragma once

namespace conformance {

inline std::string operandText(const Form& form) {
    if (form.text.find('$') != std::string::npos) return form.text;
    std::string text = form.text + " $d";
    for (std::size_t k = 0; k < form.sources.size(); k++) text += std::string(", $") + kSources[k];
    return text;
}

// One of the form's statements at a time: braces of scopes and declarations stay as they are, instructions get the guard.
inline std::string statements(const Form& form, const std::string& guard, bool inPlace) {
    std::string rest = operandText(form), result;
    if (rest[0] != '{' && rest.back() != ';') rest += ';';
    while (true) {
        std::size_t begin = rest.find_first_not_of(" \n");
        if (begin == std::string::npos) return result;
        bool brace = rest[begin] == '{' || rest[begin] == '}';
        std::size_t end = brace ? begin + 1 : rest.find(';', begin) + 1;
        std::string one = rest.substr(begin, end - begin);
        rest = rest.substr(end);
        for (std::size_t at; (at = one.find('$')) != std::string::npos;) {
            one[at] = '%';
            if (inPlace && one[at + 1] == 'a') one[at + 1] = 'd';
        }
        result += brace || one[0] == '.' ? one + "\n" : guard + one + "\n";
    }
}

inline bool canRunInPlace(const Form& form) {
    std::string text = operandText(form);
    std::size_t statement = text.find(';');
    bool single = text[0] != '{' && (statement == std::string::npos || statement + 1 == text.size());
    if (!single || form.sources.empty()) return false;
    const Kind &from = form.sources[0], &to = form.destinations[0];
    return std::strcmp(from.reg, to.reg) == 0 && from.bytes == to.bytes;
}

// Loads or stores slot `slot` of the lane: arrays of kThreads words of 8 bytes.
inline std::string transfer(bool load, const Kind& kind, char name, u64 slot) {
    bool predicate = std::strcmp(kind.reg, "pred") == 0;
    std::string reg = predicate ? "%word" : std::string("%") + name, address = load ? "[%in+" : "[%out+";
    address += std::to_string(slot * kThreads * 8) + "]";
    std::string type = ".b" + std::to_string(8 * kind.bytes) + " ";
    std::string test = predicate ? std::string("setp.ne.u32 %") + name + ", %word, 0;\n" : "";
    std::string pick = predicate ? std::string("selp.u32 %word, 1, 0, %") + name + ";\n" : "";
    if (load) return "ld.global" + type + reg + ", " + address + ";\n" + test;
    return pick + "st.global" + type + address + ", " + reg + ";\n";
}

// One way of running the form, with the old values of the destinations loaded before and the new ones stored after.
inline std::string runText(const Form& form, Way way) {
    std::string text;
    u64 count = form.destinations.size();
    for (u64 k = 0; k < count; k++) {
        bool source = way == Way::inPlace && k == 0;
        text += transfer(true, form.destinations[k], kDestinations[k], source ? 0 : form.sources.size() + k);
    }
    if (way == Way::branched) text += "@!%guard bra skip;\n";
    text += statements(form, way == Way::full || way == Way::branched ? "" : "@%guard ", way == Way::inPlace);
    if (way == Way::branched) text += "skip:\n";
    for (u64 k = 0; k < count; k++) text += transfer(false, form.destinations[k], kDestinations[k], static_cast<u64>(way) * count + k);
    return text;
}

inline std::string kernelText(const Form& form, const std::string& name) {
    std::string text = ".visible .entry " + name + "(.param .u64 input, .param .u64 output, .param .u64 masks)\n{\n";
    text += ".reg .pred %guard;\n.reg .b64 %in, %out, %at;\n.reg .b32 %i, %word;\n";
    for (std::size_t k = 0; k < form.destinations.size(); k++)
        text += std::string(".reg .") + form.destinations[k].reg + " %" + kDestinations[k] + ";\n";
    for (std::size_t k = 0; k < form.sources.size(); k++) text += std::string(".reg .") + form.sources[k].reg + " %" + kSources[k] + ";\n";
    text += "ld.param.u64 %in, [input];\nld.param.u64 %out, [output];\nld.param.u64 %at, [masks];\nmov.u32 %i, %tid.x;\n";
    // The lane's bit of its warp's mask.
    text += "shr.u32 %word, %i, 5;\nmad.wide.u32 %at, %word, 4, %at;\nld.global.u32 %word, [%at];\nand.b32 %i, %i, 31;\n";
    text += "shr.u32 %word, %word, %i;\nand.b32 %word, %word, 1;\nsetp.ne.u32 %guard, %word, 0;\n";
    text += "mov.u32 %i, %tid.x;\nmov.u32 %word, %ctaid.x;\nmad.lo.u32 %i, %word, " + std::to_string(kBlock) + ", %i;\n";
    text += "mad.wide.u32 %in, %i, 8, %in;\nmad.wide.u32 %out, %i, 8, %out;\n";
    for (std::size_t k = 0; k < form.sources.size(); k++) text += transfer(true, form.sources[k], kSources[k], k);
    text += runText(form, Way::full) + runText(form, Way::guarded) + runText(form, Way::branched);
    if (canRunInPlace(form)) text += runText(form, Way::inPlace);
    return text + "ret;\n}\n";
}

inline std::string header(int architecture) { return ".version 9.0\n.target sm_" + std::to_string(architecture) + "\n.address_size 64\n"; }

// The sources and the old values of the destinations, array by array: first all pairs of inputs, as far as there are lanes, then others.
inline std::vector<u64> inputsOf(const Form& form, u64 seed) {
    Random random(seed);
    u64 count = form.sources.size(), pairs = count == 0 ? 0 : form.inputs[0].size() * (count == 2 ? form.inputs[1].size() : 1);
    std::vector<u64> words((count + form.destinations.size()) * kThreads);
    for (u64 t = 0; t < kThreads; t++) {
        for (u64 k = 0; k < count; k++) {
            const auto& values = form.inputs[k];
            bool ordered = count <= 2 && t < pairs;
            u64 at = ordered ? (k == 0 ? t % values.size() : t / form.inputs[0].size() % values.size()) : random.next() % values.size();
            bool any = !form.fixed[k] && !ordered && (count == 1 || random.next() % 3 == 0);
            words[k * kThreads + t] = any ? form.sources[k].any(random.next()) : values[at];
        }
    }
    for (u64 k = count * kThreads; k < words.size(); k++) words[k] = form.destinations[k / kThreads - count].any(random.next());
    return words;
}

// Compares what one lane has in one destination after one run.
inline bool judge(const Form& form, const std::vector<u64>& in, const std::vector<u64>& out, u64 run, u64 k, u64 t, bool quiet) {
    u64 count = form.destinations.size(), got = out[(run * count + k) * kThreads + t];
    Raws sources{};
    for (u64 s = 0; s < form.sources.size(); s++) sources[s] = in[s * kThreads + t];
    Way way = static_cast<Way>(run);
    u64 warp = t % kBlock / 32, lane = t % 32;
    bool active = way == Way::full || (kMasks[warp] >> lane & 1);
    u64 old = way == Way::inPlace && k == 0 ? sources[0] : in[(form.sources.size() + k) * kThreads + t];
    u64 want = active ? form.expected(sources)[k] : old;
    if (active ? form.same(got, want) : got == old) return true;
    if (quiet) return false;
    const Kind& kind = form.destinations[k];
    std::fprintf(stderr, "%s: %s, block %d warp %d lane %d:", operandText(form).c_str(), kWayNames[run], static_cast<int>(t / kBlock),
                 static_cast<int>(warp), static_cast<int>(lane));
    for (u64 s = 0; s < form.sources.size(); s++) std::fprintf(stderr, " %c=%s", kSources[s], form.sources[s].show(sources[s]).c_str());
    auto showWant = active && form.showExpected != nullptr ? form.showExpected : kind.show;
    std::fprintf(stderr, ": %c is %s, expected %s%s\n", kDestinations[k], kind.show(got).c_str(), active ? "" : "its old value ",
                 showWant(want).c_str());
    return false;
}

inline void runForm(const Form& form, u64 seed) {
    CUmodule module;
    CUfunction function;
    std::string ptx = header(form.architecture) + kernelText(form, "form");
    CUresult loaded = cuModuleLoadData(&module, ptx.c_str());
    CHECK(loaded == CUDA_SUCCESS, "%s is refused with code %d", operandText(form).c_str(), loaded);
    if (loaded != CUDA_SUCCESS) return;
    MUST(cuModuleGetFunction(&function, module, "form"));
    u64 runs = canRunInPlace(form) ? 4 : 3, count = form.destinations.size();
    std::vector<u64> in = inputsOf(form, seed);
    CUdeviceptr input = upload(in), output = upload(std::vector<u64>(runs * count * kThreads));
    CUdeviceptr masks = upload(std::vector<u32>(kMasks.begin(), kMasks.end()));
    void* arguments[] = {&input, &output, &masks};
    MUST(cuLaunchKernel(function, kBlocks, 1, 1, kBlock, 1, 1, 0, nullptr, arguments, nullptr));
    MUST(cuCtxSynchronize());
    std::vector<u64> out = download<u64>(output, runs * count * kThreads);
    for (CUdeviceptr p : {input, output, masks}) MUST(cuMemFree(p));
    MUST(cuModuleUnload(module));
    int wrong = 0;
    for (u64 run = 0; run < runs; run++)
        for (u64 k = 0; k < count; k++)
            for (u64 t = 0; t < kThreads; t++) {
                checks++;
                if (!judge(form, in, out, run, k, t, wrong >= 4)) wrong++;
            }
    if (wrong > 4) std::fprintf(stderr, "%s: %d lanes in all are wrong\n", operandText(form).c_str(), wrong);
    failures += wrong;
}

// With CONFORMANCE_PTX=FOLDER the kernels of all forms are written there, a file for each target, for ptxas to judge.
inline bool writePtx(const char* what) {
    const char* folder = std::getenv("CONFORMANCE_PTX");
    if (folder == nullptr) return false;
    for (int architecture : {90, 100}) {
        std::ofstream file(std::string(folder) + "/" + what + ".sm_" + std::to_string(architecture) + ".ptx");
        file << header(architecture);
        int number = 0;
        for (const Form& form : forms)
            if (form.architecture == architecture)
                file << "// " << operandText(form) << "\n" << kernelText(form, "form" + std::to_string(number++));
    }
    return true;
}

inline int runForms(const char* what) {
    if (writePtx(what)) return 0;
    // A device that takes the forms of every target.
    setenv("SOFTCUDA_ARCH", "100", 0);
    CUcontext context = openContext();
    u64 seed = 1;
    for (const Form& form : forms) runForm(form, seed++);
    MUST(cuCtxSetCurrent(context));
    std::printf("%s: %d forms, %d checks, %d failures\n", what, static_cast<int>(forms.size()), checks, failures);
    return failures == 0 ? 0 : 1;
}

}  // namespace conformance
