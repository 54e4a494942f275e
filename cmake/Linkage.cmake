# One set of objects, three programs, told apart by the target's property ARCHIVES, which decides what stands for a
# library on its link line:
#
#   asyncleak-top           (none)  shared libraries: what is developed and tested
#   asyncleak-top-packaged  new     for the .deb: shared where Debian 12 and 13 have the same soname. fmt (9, 10) and
#                                   Zydis (4.0, 4.1) are linked in, so that one package serves both
#   asyncleak-top-static    all     nothing is needed at run time
#
# The libraries keep the names that src/*/CMakeLists.txt link.
find_package(PkgConfig REQUIRED)

# linkage(NAME SHARED ARCHIVES WHEN): the interface target NAME is ARCHIVES in a program whose property ARCHIVES
# matches WHEN, and else SHARED. CMake asks the program, not the library in between, for the property.
function(linkage name shared archives when)
  add_library(${name} INTERFACE IMPORTED)
  target_link_libraries(
    ${name} INTERFACE "$<IF:$<IN_LIST:$<TARGET_PROPERTY:ARCHIVES>,${when}>,${archives},${shared}>")
endfunction()

# linked_package(NAME MODULE): the pkg-config module as NAME; where all is static, the archives it says it needs.
function(linked_package name module)
  string(REGEX REPLACE "[^A-Z]" "" key ${name})
  pkg_check_modules(${key} REQUIRED ${module})
  set(archives)
  foreach(library ${${key}_STATIC_LIBRARIES})
    find_library(${library}_ARCHIVE lib${library}.a)
    # Not an error here: only the static program needs it, and then the linker names it.
    if(${library}_ARCHIVE)
      list(APPEND archives ${${library}_ARCHIVE})
    else()
      list(APPEND archives ${library})
    endif()
  endforeach()
  linkage(${name} "${${key}_LINK_LIBRARIES}" "${archives}" all)
  target_compile_options(${name} INTERFACE ${${key}_CFLAGS})
endfunction()

linked_package(PkgConfig::LIBBPF libbpf>=1.1)
linked_package(PkgConfig::LIBCAP libcap>=2.43)
linked_package(PkgConfig::LIBELF libelf)
linked_package(PkgConfig::LIBDW libdw)
linked_package(PkgConfig::LZMA liblzma)
linked_package(PkgConfig::ZSTD libzstd)
linked_package(PkgConfig::NCURSESW ncursesw)
linked_package(ZLIB::ZLIB zlib)

# Debian has no archives of these two. fmt's headers hold its whole source; Zydis's source is fetched when asked for.
find_library(FMT_SHARED fmt REQUIRED)
find_library(ZYDIS_SHARED Zydis REQUIRED)
linkage(fmt::fmt ${FMT_SHARED} fmt_archive "new;all")
linkage(Zydis::Zydis ${ZYDIS_SHARED} zydis_archive "new;all")

add_library(fmt_archive STATIC EXCLUDE_FROM_ALL cmake/fmt.cpp)

set(ZYDIS_URL http://deb.debian.org/debian/pool/main/z/zydis/zydis_4.0.0.orig.tar.gz
    CACHE STRING "Debian's source of Zydis, for the packaged and the static program; file:///... without a network")
set(zydis ${CMAKE_BINARY_DIR}/zydis)
set(zydis_sources Decoder.c DecoderData.c Formatter.c FormatterATT.c FormatterBase.c FormatterBuffer.c FormatterIntel.c
                  MetaInfo.c Mnemonic.c Register.c Segment.c SharedData.c String.c Utils.c)
list(TRANSFORM zydis_sources PREPEND ${zydis}/src/)
add_custom_command(
  OUTPUT ${zydis_sources}
  COMMAND ${CMAKE_COMMAND} -DURL=${ZYDIS_URL} -DTO=${zydis} -P ${CMAKE_SOURCE_DIR}/cmake/FetchZydis.cmake
  DEPENDS cmake/FetchZydis.cmake
  VERBATIM)
add_library(zydis_archive STATIC EXCLUDE_FROM_ALL ${zydis_sources})
target_compile_definitions(zydis_archive PRIVATE ZYDIS_STATIC_BUILD)
target_include_directories(zydis_archive PRIVATE ${zydis}/include ${zydis}/src)
