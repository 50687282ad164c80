# find_package(hourglass) for CMake: hourglass::hourglass, and hourglass::f64 in double precision.
include(CMakeFindDependencyMacro)
find_dependency(Threads)

foreach(variant hourglass f64)
    if(NOT TARGET hourglass::${variant})
        add_library(hourglass::${variant} SHARED IMPORTED)
        set_target_properties(hourglass::${variant} PROPERTIES
            INTERFACE_INCLUDE_DIRECTORIES "@includedir@/hourglass"
            INTERFACE_LINK_LIBRARIES "m;Threads::Threads")
    endif()
endforeach()
set_target_properties(hourglass::hourglass PROPERTIES IMPORTED_LOCATION "@libdir@/libhourglass.so.@soversion@")
set_target_properties(hourglass::f64 PROPERTIES IMPORTED_LOCATION "@libdir@/libhourglass-f64.so.@soversion@"
    INTERFACE_COMPILE_DEFINITIONS AG_DOUBLE)
