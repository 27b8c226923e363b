/* A room on uWebSockets: what a member says is published to all. */
#include "App.h"

#include <iostream>

int main() {
    struct PerSocketData {};

    uWS::App app;
    app.ws<PerSocketData>("/*", {
        .compression = uWS::DISABLED,
        .idleTimeout = 0,
        .maxBackpressure = 100 * 1024 * 1024,
        .open = [](auto *ws) { ws->subscribe("room"); },
        .message = [&app](auto *, std::string_view message, uWS::OpCode code) { app.publish("room", message, code); },
    });
    app.listen("127.0.0.1", 0, [](auto *socket) {
        if (socket) {
            std::cout << "port " << us_socket_local_port(0, (us_socket_t *) socket) << std::endl;
        }
    });
    app.run();
}
