// Conformance of mbarriers: random sequences of operations, against a model.
#include <functional>

#include "synchronisation.h"

using namespace conformance;

namespace {

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

}  // namespace

int main() {
    openContext();
    for (u64 seed = 1; seed <= 24; seed++) Sequence(seed).run();
    return report("conformance_mbarrier");
}
