// The conformance tests of single instructions. A form is the text of an instruction with placeholders for its registers and a host
// function that says what comes out:
//
//   form("add.sat.s32", [](i32 a, i32 b) -> i32 { return ...; });
//   form("setp.lt.s32 $d|$e, $a, $b", [](i32 a, i32 b) { return std::pair(a < b, !(a < b)); });
//
// The destinations are $d $e $f $g, the sources $a $b $c $x $y, with the types of the function's result (one value, or a pair or tuple)
// and parameters; text without any gets "$d, $a, ..." appended. It may be several statements with scopes of their own. Each form is a
// kernel that runs the text in kThreads lanes, in four ways: in all lanes; in odd sets of lanes, by a guard and by a branch around it,
// where the others must keep the destinations' old values; and with the first destination in the first source's register.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <tuple>
#include <utility>

#include "conformance_values.h"
#include "harness.h"

namespace conformance {

inline constexpr u32 kBlock = 256, kBlocks = 16, kThreads = kBlock * kBlocks;
inline constexpr const char* kDestinations = "defg";
inline constexpr const char* kSources = "abcxy";

// The active lanes of each warp of a block in the guarded runs.
inline constexpr std::array<u32, kBlock / 32> kMasks = {0x80000001, 0x55555555, 0x0f0ff00e, 0x00010000,
                                                        0xfffffffe, 0x13579bdf, 0,          0x7fffffff};

enum class Way : u8 { full, guarded, branched, inPlace };
inline constexpr const char* kWayNames[] = {"all lanes", "guarded", "branched", "in place"};

using Raws = std::array<u64, 5>;

struct Form {
    std::string text;
    int architecture = 90;  // of .target
    std::vector<Kind> destinations, sources;
    std::vector<std::vector<u64>> inputs;  // of each source
    std::function<Raws(const Raws& sources)> expected;
    std::function<bool(u64 got, u64 expected)> same = [](u64 got, u64 expected) { return got == expected; };
    std::string (*showExpected)(u64) = nullptr;  // where it is not of the destination's type

    // Source k takes the values given, and no random ones.
    template <class T>
    Form& in(u32 k, const std::vector<T>& values) {
        inputs[k].clear();
        for (T v : values) inputs[k].push_back(toRaw(v));
        fixed[k] = true;
        return *this;
    }
    template <class T>
    Form& in(u32 k, std::initializer_list<T> values) {
        return in(k, std::vector<T>(values));
    }
    Form& target(int sm) {
        architecture = sm;
        return *this;
    }
    // Any NaN will do where a NaN is expected.
    template <class T>
    Form& anyNaN() {
        same = [](u64 got, u64 want) {
            double g = valueOf(fromRaw<T>(got)), w = valueOf(fromRaw<T>(want));
            return got == want || (g != g && w != w);
        };
        return *this;
    }

    std::array<bool, 5> fixed{};
};

inline std::deque<Form> forms;

template <class F>
struct Signature : Signature<decltype(&F::operator())> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const> : Signature<R (*)(A...)> {};
template <class R, class... A>
struct Signature<R (*)(A...)> {
    using Result = R;
    static constexpr std::size_t kCount = sizeof...(A);

    static void describe(Form& form) {
        form.sources = {kindOf<A>()...};
        form.inputs = {valuesOf<A>()...};
        describeResult(form, static_cast<R*>(nullptr));
    }
    template <class F>
    static Raws call(const F& f, const Raws& sources) {
        return call(f, sources, std::index_sequence_for<A...>());
    }

private:
    template <class T>
    static void describeResult(Form& form, T*) {
        form.destinations = {kindOf<T>()};
    }
    template <class... T>
    static void describeResult(Form& form, std::tuple<T...>*) {
        form.destinations = {kindOf<T>()...};
    }
    template <class T, class U>
    static void describeResult(Form& form, std::pair<T, U>*) {
        form.destinations = {kindOf<T>(), kindOf<U>()};
    }
    template <class T>
    static Raws raws(T value) {
        return {toRaw(value)};
    }
    template <class... T>
    static Raws raws(std::tuple<T...> values) {
        return std::apply([](auto... v) { return Raws{toRaw(v)...}; }, values);
    }
    template <class T, class U>
    static Raws raws(std::pair<T, U> values) {
        return {toRaw(values.first), toRaw(values.second)};
    }
    template <class F, std::size_t... K>
    static Raws call(const F& f, const Raws& sources, std::index_sequence<K...>) {
        return raws(f(fromRaw<A>(sources[K])...));
    }
};

// Adds a form whose results must have the very bits that `f` gives.
template <class F>
inline Form& form(const std::string& text, F f) {
    Form& added = forms.emplace_back();
    added.text = text;
    Signature<F>::describe(added);
    added.expected = [f](const Raws& sources) { return Signature<F>::call(f, sources); };
    return added;
}

// How far an approximation may be from the exact value: the greater of the two. NaN, infinities and zeros must match.
struct Bound {
    double relative = 0, absolute = 0;
};

// What is as good as infinity for the format of T: half a unit in the last place above its greatest value.
template <class T>
inline constexpr double kOverflow = std::is_same_v<T, F16>    ? 65520.0
                                    : std::is_same_v<T, Bf16> ? 0x1.ffp127
                                                              : 0x1.ffffffp127;
template <>
inline constexpr double kOverflow<double> = HUGE_VAL;

// Adds a form with results of type D whose exact values `f` gives as doubles.
template <class D, class F>
inline Form& near(const std::string& text, Bound bound, F f) {
    Form& added = form(text, f);
    added.destinations.assign(added.destinations.size(), kindOf<D>());
    added.showExpected = show<double>;
    added.same = [bound](u64 got, u64 want) {
        double g = valueOf(fromRaw<D>(got)), w = fromRaw<double>(want);
        if (w != w) return g != g;
        if (std::fabs(w) >= kOverflow<D>) w = std::copysign(HUGE_VAL, w);
        if (std::isinf(w) || w == 0) return g == w && std::signbit(g) == std::signbit(w);
        return std::fabs(g - w) <= std::max(bound.absolute, bound.relative * std::fabs(w));
    };
    return added;
}

// Runs all forms added; returns the exit code of the program.
int runForms(const char* what);

}  // namespace conformance

#include "conformance_run.h"
