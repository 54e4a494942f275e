# What `cmake --install` puts where. Makefile's uninstall lists the same places (tests/docs compares).
include(GNUInstallDirs)
install(TARGETS asyncleak-top RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES man/asyncleak-top.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES completions/asyncleak-top.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        RENAME asyncleak-top)
install(FILES completions/_asyncleak-top DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES completions/asyncleak-top.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
