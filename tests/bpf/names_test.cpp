// Names, and what happens when they, or anything on the way to them, cannot be read.
#include "machine.h"

namespace asyncleak::fake {
namespace {

constexpr Address task = 0x7f5500001230;
constexpr std::size_t somewhere = 8;  // bytes that are hidden from an address on

// A process whose next coroutine is of the function TEXT describes.
struct Scene {
  explicit Scene(const python::LayoutRow& row, const CodeText& text = {})
      : machine(row),
        process(machine.start(100)),
        code(process.python.code(text)),
        qualname(process.python.str(text.qualname)),
        coroutine(process.python.coroutine(code, qualname)) {}

  void create() { machine.create(process, task, coroutine); }
  [[nodiscard]] const al_layout& layout() const { return process.python.layout(); }
  [[nodiscard]] Address field(Address object, std::uint16_t offset) const {
    return process.memory->get<Address>(object + offset);
  }
  [[nodiscard]] const al_code* copied() const {
    const Site site = Machine::only_site();
    return Machine::code(process, code, site.origin.print);
  }
  // The task is counted whatever is missing, and its end is seen.
  void check_counted() {
    CHECK(Machine::only_site().site.created == 1);
    CHECK(Machine::process(100)->outstanding == 1);
    Machine::destroy(task);
    CHECK(Machine::only_site().site.destroyed == 1);
    CHECK(records() == 0);
  }

  Machine machine;
  Process& process;
  Address code, qualname, coroutine;
};

TEST_CASE("names in every kind of str") {
  struct Case {
    std::u32string text;
    std::uint8_t kind;
  };
  const std::vector<Case> cases = {{U"spawn_42", 1},     {U"crée_tâche", 1},     {U"задача", 2},
                                   {U"tâche_задача", 2}, {U"仕事\U0001F40D", 4}, {U"", 1}};
  for_each_line([&](const python::LayoutRow& row) {
    for (const Case& each : cases) {
      CodeText text;
      text.name = text.qualname = each.text;
      text.file = U"/srv/" + each.text;
      Scene scene(row, text);
      scene.create();
      const Site site = Machine::only_site();
      CHECK(site.origin.qualname.kind == each.kind);
      CHECK(text_of(site.origin.qualname) == each.text);
      REQUIRE(scene.copied() != nullptr);
      CHECK(text_of(scene.copied()->name) == each.text);
      CHECK(text_of(scene.copied()->file) == text.file);
      CHECK(Machine::dropped() == 0);
    }
  });
}

TEST_CASE("of a long name the start is kept, of a long path the end") {
  for (const char32_t filler : {U'x', U'é', U'я', U'\U0001F40D'}) {
    CodeText text;
    text.qualname = U"begin" + std::u32string(300, filler);
    text.file = std::u32string(300, filler) + U"/end.py";
    Scene scene(line(14), text);
    scene.create();
    const al_name name = Machine::only_site().origin.qualname;
    const al_file file = scene.copied()->file;
    CHECK(name.truncated == 1);
    CHECK(name.length == AL_NAME_BYTES);
    CHECK(text_of(name) == text.qualname.substr(0, AL_NAME_BYTES / name.kind));
    CHECK(file.truncated == 1);
    CHECK(file.length == AL_FILE_BYTES);
    CHECK(text_of(file) == text.file.substr(text.file.size() - AL_FILE_BYTES / file.kind));
  }
}

TEST_CASE("a name that fits exactly is whole") {
  CodeText text;
  text.qualname = std::u32string(AL_NAME_BYTES, U'x');
  Scene scene(line(12), text);
  scene.create();
  CHECK(Machine::only_site().origin.qualname.length == AL_NAME_BYTES);
  CHECK(Machine::only_site().origin.qualname.truncated == 0);
}

TEST_CASE("what is no compact str is no name") {
  for_each_line([](const python::LayoutRow& row) {
    const auto shift = row.layout.str_kind_shift;
    for (const std::uint32_t state : {0U, 0x10U << shift, (0x8U | 3U) << shift}) {
      Scene scene(row);
      scene.process.memory->put(scene.qualname + row.layout.str_state, state);
      scene.create();
      CHECK(Machine::only_site().origin.qualname.kind == 0);
      CHECK(counted(AL_DROP_NAME_UNREADABLE) == 1);
      scene.check_counted();
    }
    Scene scene(row);
    scene.process.memory->put<std::uint64_t>(scene.qualname + row.layout.str_length, std::uint64_t{1} << 40);
    scene.create();
    CHECK(counted(AL_DROP_NAME_UNREADABLE) == 1);
    scene.check_counted();
  });
}

TEST_CASE("a line table too long to be copied is said to be") {
  CodeText text;
  text.linetable = std::string(AL_LINETABLE_BYTES + 1, '\x07');
  Scene longer(line(10), text);
  longer.create();
  CHECK(longer.copied()->linetable_length == AL_LINETABLE_BYTES + 1);
  CHECK(longer.copied()->linetable[0] == 0);

  text.linetable.pop_back();
  Scene fits(line(10), text);
  fits.create();
  CHECK(fits.copied()->linetable_length == AL_LINETABLE_BYTES);
  CHECK(fits.copied()->linetable[AL_LINETABLE_BYTES - 1] == 7);

  text.linetable = std::string(0x20000, '\x07');
  Scene huge(line(10), text);
  huge.create();
  CHECK(huge.copied()->linetable_length == 0xffff);
}

TEST_CASE("unreadable arguments: counted, by no name") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    scene.create();  // the process is known
    const Address args = scene.process.python.tuple({scene.coroutine});
    scene.process.memory->hide(args, 64);
    Machine::init(task + 0x100, args, 0);
    const auto sites = Machine::sites();
    REQUIRE(sites.size() == 2);
    CHECK(sites[1].site.created == 1);
    CHECK(sites[1].origin.qualname.kind == 0);
    CHECK(counted(AL_DROP_ARGS_UNREADABLE) == 1);
    Machine::destroy(task + 0x100);
    CHECK(Machine::sites()[1].site.destroyed == 1);
  });
}

TEST_CASE("arguments at the end of memory are read") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    const Address args = scene.process.python.tuple({scene.coroutine});
    scene.process.memory->hide(args + row.layout.tuple_items + 8, 1);
    Machine::init(task, args, 0);
    CHECK(text_of(Machine::only_site().origin.qualname) == U"Service.spawn");
    CHECK(Machine::dropped() == 0);
  });
}

TEST_CASE("an unreadable coroutine: counted, by no name") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    scene.process.memory->hide(scene.coroutine, row.sizes.coro);
    scene.create();
    CHECK(counted(AL_DROP_ARGS_UNREADABLE) == 1);
    CHECK(Machine::only_site().origin.qualname.kind == 0);
    CHECK(Machine::only_site().origin.depth == 2);
    scene.check_counted();
  });
}

TEST_CASE("unreadable code: counted, by the type's name") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    scene.process.memory->hide(scene.code, row.sizes.code);
    scene.create();
    CHECK(counted(AL_DROP_CODE_UNREADABLE) == 1);
    CHECK(text_of(Machine::only_site().origin.qualname) == U"coroutine");
    scene.check_counted();
  });
}

TEST_CASE("a coroutine whose code is no code object: counted, by the type's name") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    const Address none = scene.process.python.object(scene.process.python.type("NoneType"), row.sizes.code);
    scene.machine.create(scene.process, task, scene.process.python.coroutine(none, scene.qualname));
    CHECK(counted(AL_DROP_CODE_UNREADABLE) == 1);
    CHECK(text_of(Machine::only_site().origin.qualname) == U"coroutine");
    scene.check_counted();
  });
}

TEST_CASE("unreadable names: counted, with what is left") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    const auto name = row.layout.code_qualname != AL_ABSENT ? row.layout.code_qualname : row.layout.code_name;
    scene.process.memory->hide(scene.qualname, somewhere + row.layout.str_state);
    scene.process.memory->hide(scene.field(scene.code, name), somewhere + row.layout.str_state);
    scene.process.memory->hide(scene.field(scene.code, row.layout.code_linetable), somewhere + row.layout.bytes_data);
    scene.create();
    CHECK(counted(AL_DROP_NAME_UNREADABLE) == 2);
    CHECK(Machine::only_site().origin.qualname.kind == 0);
    REQUIRE(scene.copied() != nullptr);
    CHECK(scene.copied()->name.kind == 0);
    CHECK(scene.copied()->linetable_length == 0);
    CHECK(text_of(scene.copied()->file) == U"/srv/app.py");
    scene.check_counted();
  });
}

TEST_CASE("the text of a name on a missing page") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    scene.process.memory->hide(scene.qualname + row.layout.str_ascii_data, 1);
    scene.process.memory->hide(scene.field(scene.code, row.layout.code_filename) + row.layout.str_ascii_data, 1);
    scene.process.memory->hide(scene.field(scene.code, row.layout.code_linetable) + row.layout.bytes_data, 1);
    scene.create();
    CHECK(counted(AL_DROP_NAME_UNREADABLE) == 2);
    CHECK(Machine::only_site().origin.qualname.kind == 0);
    CHECK(scene.copied()->file.kind == 0);
    CHECK(scene.copied()->linetable_length == 0);
    scene.check_counted();
  });
}

TEST_CASE("a type's name that cannot be read, or does not end") {
  Scene scene(line(13));
  const Address hidden = scene.process.python.type("Hidden");
  scene.process.memory->hide(hidden, 8 + scene.layout().type_name);
  scene.coroutine = scene.process.python.object(hidden, 120);
  scene.create();
  CHECK(counted(AL_DROP_NAME_UNREADABLE) == 1);
  CHECK(Machine::only_site().origin.qualname.kind == 0);
  scene.check_counted();

  Scene endless(line(13));
  endless.coroutine = endless.process.python.object(endless.process.python.type(std::string(500, 'T')), 120);
  endless.create();
  CHECK(text_of(Machine::only_site().origin.qualname) == std::u32string(AL_NAME_BYTES - 1, U'T'));
  CHECK(Machine::only_site().origin.qualname.truncated == 1);
}

}  // namespace
}  // namespace asyncleak::fake
