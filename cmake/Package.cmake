# The .deb: `make deb`. What goes where is said here once more because Debian's places are not those of `make install`
# (zsh's vendor-completions, documents compressed, a unit), and the program is another (cmake/Linkage.cmake).
find_program(DPKG dpkg)
find_program(CPACK cpack)
if(NOT DPKG OR NOT CPACK)
  return()
endif()
execute_process(COMMAND ${DPKG} --print-architecture OUTPUT_VARIABLE architecture OUTPUT_STRIP_TRAILING_WHITESPACE)

set(debian ${CMAKE_SOURCE_DIR}/deploy/debian)
set(systemd ${CMAKE_SOURCE_DIR}/deploy/systemd)
set(compressed ${CMAKE_BINARY_DIR}/debian)

function(packaged where)
  install(FILES ${ARGN} DESTINATION ${where} COMPONENT package EXCLUDE_FROM_ALL)
endfunction()

install(PROGRAMS $<TARGET_FILE:asyncleak-top-packaged> DESTINATION bin RENAME asyncleak-top COMPONENT package
        EXCLUDE_FROM_ALL)
packaged(share/man/man8 ${compressed}/asyncleak-top.8.gz)
install(DIRECTORY docs DESTINATION share/doc/asyncleak-top COMPONENT package EXCLUDE_FROM_ALL FILES_MATCHING PATTERN *.md)
packaged(share/doc/asyncleak-top ${compressed}/changelog.gz ${compressed}/CHANGELOG.md.gz ${compressed}/README.md.gz
         ${debian}/copyright)
packaged(share/lintian/overrides ${compressed}/overrides/asyncleak-top)
packaged(share/bash-completion/completions ${compressed}/bash/asyncleak-top)
packaged(share/zsh/vendor-completions completions/_asyncleak-top)
packaged(share/fish/vendor_completions.d completions/asyncleak-top.fish)
packaged(lib/systemd/system ${systemd}/asyncleak-top.service)
packaged(lib/sysusers.d ${compressed}/sysusers/asyncleak-top.conf)
packaged(lib/tmpfiles.d ${compressed}/tmpfiles/asyncleak-top.conf)
packaged(/etc/default ${compressed}/default/asyncleak-top)
# For the machine with the servers, which need not be this one: Debian's prometheus has no folder of rules.
packaged(share/asyncleak-top/prometheus deploy/prometheus/rules.yml)
packaged(share/asyncleak-top/grafana deploy/grafana/asyncleak-top.json)
packaged(share/asyncleak-top/systemd ${systemd}/cap-sys-admin.conf)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME asyncleak-top)
set(CPACK_PACKAGE_CONTACT "Seed a74dd5b5 maintainers <maintainers@users.noreply.h-seed-a74dd5b5.example>")
set(CPACK_COMPONENTS_ALL package)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_SET_DESTDIR ON) # for /etc
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME asyncleak-top_${PROJECT_VERSION}_${architecture}.deb)
set(CPACK_PACKAGE_FILE_NAME asyncleak-top_${PROJECT_VERSION}_${architecture})
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${architecture})
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
# CPack indents the lines and writes the dot of an empty one.
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "which asyncio task leaks, who created it, since when
A live view of the asyncio tasks of running Python services, like top(1):
which coroutine leaks tasks, who created them, since when and what they hold.
It counts in the kernel (eBPF) and reads the memory of the unmodified process:
nothing is imported, restarted or injected.

As a service it writes metrics for prometheus-node-exporter. The installation
does not enable the unit.")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS acl) # prerm
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS prometheus-node-exporter)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${debian}/postinst ${debian}/prerm ${debian}/postrm ${debian}/conffiles)
include(CPack)

# Times are those of the commit, so that the same source gives the same package.
add_custom_target(
  deb
  COMMAND ${CMAKE_SOURCE_DIR}/tools/package-files ${compressed} ${PROJECT_VERSION} "${CPACK_PACKAGE_CONTACT}"
  COMMAND ${CMAKE_SOURCE_DIR}/tools/at-commit-time ${CPACK} --config ${CMAKE_BINARY_DIR}/CPackConfig.cmake -B
          ${CMAKE_BINARY_DIR}
  DEPENDS asyncleak-top-packaged
  USES_TERMINAL VERBATIM)
