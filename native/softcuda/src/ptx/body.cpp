// One function's body: declarations, labels and instructions, with nested scopes flattened.
//
// A name declared inside { } may hide one outside, and labels may be used before they are met. So names are collected a scope at a time
// while parsing, and resolved to unique ones when the body has ended.
#include <algorithm>

#include "parser.h"

namespace softcuda::ptx {
namespace {

class BodyParser {
public:
    BodyParser(TokenStream& in, Function& function, std::vector<Location>& locations)
        : in_(in), function_(function), locations_(locations) {}

    void run() {
        scopes_.push_back({});
        for (const auto& parameters : {&function_.results, &function_.parameters})
            for (const auto& parameter : *parameters) scopes_[0].names[parameter.name] = parameter.name;
        scope(0);
        for (std::size_t i = 0; i < function_.body.size(); i++) resolve(function_.body[i], statementScopes_[i]);
        for (auto& [label, targets, scope] : branchTargets_) {
            for (auto& target : targets) target = unique(target, scope);
            function_.branchTargets[unique(label, scope)] = targets;
        }
    }

private:
    struct Scope {
        std::size_t parent = 0;
        std::map<std::string, std::string> names;
    };
    struct BranchTargets {
        std::string label;
        std::vector<std::string> targets;
        std::size_t scope;
    };

    void scope(std::size_t current) {
        while (!in_.accept('}')) {
            const Token& token = in_.peek();
            if (token.kind == Token::Kind::end) in_.fail("function " + function_.name + " has no closing '}'");
            if (in_.accept('{')) {
                scopes_.push_back({current, {}});
                scope(scopes_.size() - 1);
            } else if (in_.accept(';')) {
            } else if (token.is('@') || (token.kind == Token::Kind::word && token.text[0] != '.' && !in_.peek(1).is(':'))) {
                instruction(current);
            } else if (token.kind == Token::Kind::word && in_.peek(1).is(':')) {
                label(current);
            } else {
                directive(current);
            }
        }
    }

    std::string declare(const std::string& name, std::size_t scope) {
        std::string unique = scope == 0 ? name : name + "#" + std::to_string(scope);
        if (!scopes_[scope].names.emplace(name, unique).second) in_.fail("'" + name + "' is declared twice");
        return unique;
    }

    std::string unique(const std::string& name, std::size_t scope) const {
        for (;; scope = scopes_[scope].parent) {
            auto found = scopes_[scope].names.find(name);
            if (found != scopes_[scope].names.end()) return found->second;
            if (scope == 0) return name;
        }
    }

    void label(std::size_t scope) {
        std::string name = in_.next().text;
        in_.expect(':');
        if (in_.accept(".branchtargets")) {
            BranchTargets entry{name, {}, scope};
            do entry.targets.push_back(in_.expectWord("a label"));
            while (in_.accept(','));
            in_.expect(';');
            declare(name, scope);
            branchTargets_.push_back(entry);
            return;
        }
        if (in_.peek().is(".callprototype") || in_.peek().is(".calltargets")) in_.fail("indirect calls are not supported");
        Statement statement;
        statement.kind = Statement::Kind::label;
        statement.label = declare(name, scope);
        add(std::move(statement), scope);
    }

    void add(Statement statement, std::size_t scope) {
        function_.body.push_back(std::move(statement));
        statementScopes_.push_back(scope);
    }

    void directive(std::size_t scope) {
        const Token token = in_.next();
        Space space = spaceOf(token);
        if (token.is(".reg")) {
            registers(scope);
        } else if (token.is(".loc")) {
            location();
        } else if (token.is(".pragma")) {
            while (!in_.accept(';')) in_.next();
        } else if (space != Space::none) {
            do {
                Variable variable = parseVariable(in_, space);
                variable.name = declare(variable.name, scope);
                function_.variables.push_back(std::move(variable));
            } while (in_.accept(','));
            in_.expect(';');
        } else {
            in_.failAt(token.line, "unknown directive '" + token.text + "' in a function");
        }
    }

    void registers(std::size_t scope) {
        Register kind;
        std::string word = in_.expectWord("a register type");
        if (word == ".v2" || word == ".v4") in_.fail("vector registers are not supported");
        kind.type = typeOf(word.substr(1));
        if (kind.type == Type::none) in_.fail("unknown register type '" + word + "'");
        do {
            std::string name = in_.expectWord("a register");
            if (in_.accept('<')) {
                i64 count = in_.expectInteger();
                in_.expect('>');
                for (i64 i = 0; i < count; i++) function_.registers[declare(name + std::to_string(i), scope)] = kind;
            } else {
                function_.registers[declare(name, scope)] = kind;
            }
        } while (in_.accept(','));
        in_.expect(';');
    }

    SourceLine place() {
        SourceLine place;
        place.file = static_cast<u32>(in_.expectInteger());
        place.line = static_cast<u32>(in_.expectInteger());
        in_.expectInteger();
        return place;
    }

    void location() {
        Location location;
        location.at = place();
        if (in_.peek().is(',') && in_.peek(1).is("function_name")) {
            in_.next();
            in_.next();
            in_.next();
            if (in_.accept('+')) in_.expectInteger();
            in_.expect(',');
            in_.next();
            location.inlined = place();
        }
        locations_.push_back(location);
    }

    void instruction(std::size_t scope) {
        Statement statement;
        Instruction& out = statement.instruction;
        std::size_t begin = in_.peek().begin;
        out.line = in_.peek().line;
        if (in_.accept('@')) {
            out.guardNegated = in_.accept('!');
            out.guard = in_.expectWord("a predicate");
        }
        split(in_.expectWord("an instruction"), out);
        try {
            operands(out);
        } catch (const PtxError& e) {
            throw PtxError(e.what() + (" in '" + in_.text(begin, in_.peek().end) + "'"));
        }
        out.text = in_.text(begin, in_.next().end);
        out.source.file = static_cast<u32>(locations_.size());
        add(std::move(statement), scope);
    }

    // Up to the semicolon.
    void operands(Instruction& out) {
        if (out.opcode == "call") {
            callOperands(out);
        } else {
            while (!in_.peek().is(';')) {
                out.operands.push_back(operand());
                if (!in_.accept(',')) break;
            }
        }
        if (!in_.peek().is(';')) in_.fail("unexpected '" + in_.peek().text + "'");
    }

    static void split(const std::string& word, Instruction& out) {
        std::size_t dot = word.find('.');
        out.opcode = word.substr(0, dot);
        while (dot != std::string::npos) {
            std::size_t next = word.find('.', dot + 1);
            out.modifiers.push_back(word.substr(dot + 1, next == std::string::npos ? next : next - dot - 1));
            dot = next;
        }
    }

    // call (results), name, (arguments): three operands, the lists as vectors (empty when absent).
    void callOperands(Instruction& out) {
        Operand results, name, arguments;
        results.kind = arguments.kind = Operand::Kind::vector;
        if (in_.peek().is('(')) {
            list(results);
            in_.expect(',');
        }
        name = operand();
        if (in_.accept(',')) {
            list(arguments);
            if (in_.accept(',')) in_.fail("indirect calls are not supported");
        }
        out.operands = {results, name, arguments};
    }

    void list(Operand& into) {
        in_.expect('(');
        while (!in_.accept(')')) {
            into.parts.push_back(operand());
            in_.accept(',');
        }
    }

    Operand operand() {
        Operand first = single();
        if (!in_.accept('|')) return first;
        Operand pair;
        pair.kind = Operand::Kind::pair;
        pair.parts = {first, single()};
        return pair;
    }

    Operand single() {
        Operand out;
        if (in_.accept('{')) {
            out.kind = Operand::Kind::vector;
            while (!in_.accept('}')) {
                out.parts.push_back(operand());
                in_.accept(',');
            }
            return out;
        }
        if (in_.accept('[')) return address();
        out.negated = in_.accept('!');
        bool minus = in_.accept('-');
        const Token token = in_.next();
        if (token.kind == Token::Kind::number) {
            parseNumber(in_, minus, token, out);
        } else if (token.kind == Token::Kind::word && !minus) {
            name(token, out);
            if (in_.accept('+')) out.offset = in_.expectInteger();
        } else {
            in_.failAt(token.line, "unexpected operand '" + token.text + "'");
        }
        return out;
    }

    static void name(const Token& token, Operand& out) {
        out.name = token.text;
        out.kind = token.text == "_" ? Operand::Kind::sink : Operand::Kind::symbol;
        if (token.text == "WARP_SZ") {
            out.kind = Operand::Kind::integer;
            out.bits = kLanes;
        }
    }

    Operand address() {
        Operand out;
        out.kind = Operand::Kind::address;
        Operand base;
        bool minus = in_.accept('-');
        const Token token = in_.next();
        if (token.kind == Token::Kind::number)
            parseNumber(in_, minus, token, base);
        else if (token.kind == Token::Kind::word)
            name(token, base);
        else
            in_.failAt(token.line, "unexpected address '" + token.text + "'");
        out.parts.push_back(base);
        if (in_.accept('+'))
            out.offset = in_.expectInteger();
        else if (in_.peek().is('-'))
            out.offset = in_.expectInteger();
        in_.expect(']');
        return out;
    }

    void resolve(Statement& statement, std::size_t scope) {
        if (statement.kind == Statement::Kind::label) return;
        Instruction& instruction = statement.instruction;
        if (!instruction.guard.empty()) instruction.guard = unique(instruction.guard, scope);
        for (auto& operand : instruction.operands) resolve(operand, scope);
    }

    void resolve(Operand& operand, std::size_t scope) {
        for (auto& part : operand.parts) resolve(part, scope);
        if (operand.kind != Operand::Kind::symbol) return;
        operand.name = unique(operand.name, scope);
        if (function_.registers.count(operand.name) || operand.name[0] == '%') operand.kind = Operand::Kind::reg;
    }

    TokenStream& in_;
    Function& function_;
    std::vector<Location>& locations_;
    std::vector<Scope> scopes_;
    std::vector<std::size_t> statementScopes_;
    std::vector<BranchTargets> branchTargets_;
};

}  // namespace

void parseBody(TokenStream& in, Function& function, std::vector<Location>& locations) { BodyParser(in, function, locations).run(); }

}  // namespace softcuda::ptx
