"""Addresses of the jobs pages."""

from django.urls import path

from jobs.views import (
    catalogue,
    dialog,
    guest_cards,
    history,
    matrix,
    moves,
    pairs,
    readiness,
    remedies,
    waivers,
)

app_name = "jobs"
urlpatterns = [
    path("guests/<int:pk>/migrate/", dialog.migrate, name="migrate"),
    path("guests/<int:pk>/migrate/check/", dialog.migrate_check, name="migrate_check"),
    path("guests/<int:pk>/migrate/start/", dialog.migrate_start, name="migrate_start"),
    path("guests/<int:pk>/destinations/", guest_cards.guest_destinations, name="guest_destinations"),
    path("guests/<int:pk>/history/", guest_cards.guest_history, name="guest_history"),
    path("guests/<int:pk>/readiness/", readiness.guest_readiness, name="guest_readiness"),
    path("guests/<int:pk>/readiness/<int:destination_pk>/", readiness.candidate, name="candidate"),
    path("guests/<int:pk>/readiness/<int:destination_pk>/recheck/", readiness.recheck, name="recheck"),
    path("readiness/", pairs.list_pairs, name="pairs"),
    path("readiness/<int:pk>/<int:destination_pk>/", pairs.show_pair, name="pair"),
    path("readiness/<int:pk>/<int:destination_pk>/recheck/", pairs.recheck_pair, name="recheck_pair"),
    path("hosts/<int:pk>/readiness/", pairs.host_readiness, name="host_readiness"),
    path("hosts/<int:pk>/matrix/", matrix.host_matrix, name="host_matrix"),
    path("checks/", catalogue.list_catalogue, name="checks"),
    path("moves/", moves.list_moves, name="moves"),
    path("moves/jump/", moves.jump, name="jump"),
    path("moves/<int:pk>/", moves.show_move, name="move"),
    path("moves/<int:pk>/points/", moves.move_points, name="move_points"),
    path("moves/<int:pk>/cancel/", moves.cancel, name="cancel"),
    path("guests/<int:pk>/remedies/<int:destination_pk>/", remedies.remedy, name="remedy"),
    path("remedies/<int:pk>/", remedies.show_remedy, name="remedy_state"),
    path("guests/<int:pk>/waivers/<int:destination_pk>/", waivers.waive, name="waiver"),
    path("guests/<int:pk>/waivers/<int:destination_pk>/withdraw/", waivers.withdraw, name="waiver_withdraw"),
    path("dock/", moves.dock, name="dock"),
    path("history/", history.list_history, name="history"),
]
