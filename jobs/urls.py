"""Addresses of the jobs pages."""

from django.urls import path

from jobs.views import dialog, guest_cards, history, moves

app_name = "jobs"
urlpatterns = [
    path("guests/<int:pk>/migrate/", dialog.migrate, name="migrate"),
    path("guests/<int:pk>/migrate/check/", dialog.migrate_check, name="migrate_check"),
    path("guests/<int:pk>/migrate/start/", dialog.migrate_start, name="migrate_start"),
    path("guests/<int:pk>/destinations/", guest_cards.guest_destinations, name="guest_destinations"),
    path("guests/<int:pk>/history/", guest_cards.guest_history, name="guest_history"),
    path("moves/", moves.list_moves, name="moves"),
    path("moves/jump/", moves.jump, name="jump"),
    path("moves/<int:pk>/", moves.show_move, name="move"),
    path("moves/<int:pk>/points/", moves.move_points, name="move_points"),
    path("moves/<int:pk>/cancel/", moves.cancel, name="cancel"),
    path("dock/", moves.dock, name="dock"),
    path("history/", history.list_history, name="history"),
]
