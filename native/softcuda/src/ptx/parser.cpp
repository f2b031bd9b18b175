// A module: directives, variables and functions.
#include "parser.h"

#include <cstdlib>

namespace softcuda::ptx {
namespace {

class ModuleParser {
public:
    ModuleParser(const std::string& text, const std::string& name) : in_(text, name) { module_.name = name; }

    Module run() {
        if (!in_.peek().is(".version")) in_.fail("not PTX: it does not begin with .version");
        while (in_.peek().kind != Token::Kind::end) item();
        for (auto& function : module_.functions)
            for (auto& statement : function.body) locate(statement.instruction);
        return std::move(module_);
    }

private:
    void item() {
        const Token token = in_.next();
        if (token.is(".version")) {
            std::string version = in_.next().text;
            module_.versionMajor = static_cast<u32>(std::atoi(version.c_str()));
            std::size_t dot = version.find('.');
            module_.versionMinor = dot == std::string::npos ? 0 : static_cast<u32>(std::atoi(version.c_str() + dot + 1));
        } else if (token.is(".target")) {
            target();
        } else if (token.is(".address_size")) {
            if (in_.expectInteger() != 64) in_.fail("only .address_size 64 is supported");
        } else if (token.is(".file")) {
            file();
        } else if (token.is(".section")) {
            in_.next();
            in_.skipBraces();
        } else if (token.is(".pragma")) {
            while (!in_.accept(';')) in_.next();
        } else if (token.is(';')) {
        } else {
            declaration(token);
        }
    }

    void target() {
        std::string name = in_.expectWord("a target");
        if (name.rfind("sm_", 0) != 0) in_.fail("unknown target '" + name + "'");
        module_.target = static_cast<u32>(std::atoi(name.c_str() + 3));
        while (in_.accept(',')) in_.next();
    }

    void file() {
        u32 number = static_cast<u32>(in_.expectInteger());
        module_.files[number] = in_.next().text;
        while (in_.accept(',')) in_.next();
    }

    void declaration(Token token) {
        bool external = false, visible = false;
        for (;; token = in_.next()) {
            if (token.is(".extern"))
                external = true;
            else if (token.is(".visible") || token.is(".weak") || token.is(".common"))
                visible = true;
            else
                break;
        }
        if (token.is(".entry") || token.is(".func")) {
            function(token.is(".entry"), external);
            return;
        }
        Space space = spaceOf(token);
        if (space == Space::none || space == Space::param || space == Space::local)
            in_.failAt(token.line, "unknown directive '" + token.text + "'");
        do {
            Variable variable = parseVariable(in_, space);
            variable.external = external;
            variable.visible = visible;
            module_.variables.push_back(std::move(variable));
        } while (in_.accept(','));
        in_.expect(';');
    }

    void parameters(std::vector<Variable>& into) {
        while (!in_.accept(')')) {
            const Token token = in_.next();
            if (spaceOf(token) != Space::param) in_.failAt(token.line, "only .param parameters are supported, found '" + token.text + "'");
            into.push_back(parseVariable(in_, Space::param));
            in_.accept(',');
        }
    }

    void function(bool entry, bool external) {
        Function function;
        function.entry = entry;
        function.line = in_.peek().line;
        if (in_.accept('(')) parameters(function.results);
        function.name = in_.expectWord("a function's name");
        if (in_.accept('(')) parameters(function.parameters);
        attributes(function);
        if (in_.accept(';')) {
            function.external = true;
        } else if (in_.accept('{')) {
            if (external) in_.fail("an .extern function with a body");
            parseBody(in_, function, locations_);
        } else {
            in_.fail("unexpected '" + in_.peek().text + "' before the body of " + function.name);
        }
        module_.functions.push_back(std::move(function));
    }

    void attributes(Function& function) {
        while (in_.peek().kind == Token::Kind::word && in_.peek().text[0] == '.') {
            const Token token = in_.next();
            if (token.is(".maxntid"))
                extent(function.maxThreads);
            else if (token.is(".reqntid"))
                extent(function.requiredThreads);
            else if (token.is(".minnctapersm"))
                function.minBlocks = static_cast<u32>(in_.expectInteger());
            else if (token.is(".maxnreg"))
                function.maxRegisters = static_cast<u32>(in_.expectInteger());
            else if (token.is(".pragma"))
                while (!in_.accept(';')) in_.next();
            else if (!token.is(".noreturn"))
                in_.failAt(token.line, "unknown attribute '" + token.text + "' of a function");
        }
    }

    void extent(u32 (&into)[3]) {
        for (u32 i = 0; i < 3; i++) into[i] = i == 0 || in_.accept(',') ? static_cast<u32>(in_.expectInteger()) : 1;
    }

    // Code inlined from the toolkit's headers is told at the place of the call in the program's own source.
    void locate(Instruction& instruction) {
        u32 index = instruction.source.file;
        instruction.source = {};
        for (; index > 0; index--) {
            const Location& location = locations_[index - 1];
            for (const SourceLine& place : {location.at, location.inlined}) {
                auto file = module_.files.find(place.file);
                if (place.line == 0 || file == module_.files.end() || file->second.find("/targets/") != std::string::npos) continue;
                instruction.source = place;
                return;
            }
        }
    }

    TokenStream in_;
    Module module_;
    std::vector<Location> locations_;
};

}  // namespace

Module parse(const std::string& text, const std::string& name) { return ModuleParser(text, name).run(); }

}  // namespace softcuda::ptx
