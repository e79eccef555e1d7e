"""Addresses of the hosts pages."""

from django.urls import path

from hosts.views import guest_pages, host_actions, host_forms, host_pages, shell, storage

app_name = "hosts"
urlpatterns = [
    path("", shell.start, name="start"),
    path("tree/", shell.tree, name="tree"),
    path("tree/<int:pk>/", shell.branch, name="branch"),
    path("status/", shell.status, name="status"),
    path("palette/", shell.palette, name="palette"),
    path("hosts/", host_pages.list_hosts, name="list"),
    path("hosts/add/", host_forms.add_host, name="add"),
    path("hosts/refresh/", host_actions.refresh_all, name="refresh_all"),
    path("hosts/address/", host_forms.convert_address, name="address"),
    path("hosts/test/", host_forms.test_form, name="test_form"),
    path("hosts/test/<str:token>/", host_forms.show_report, name="report"),
    path("hosts/<int:pk>/", host_pages.show_host, name="detail"),
    path("hosts/<int:pk>/edit/", host_forms.edit_host, name="edit"),
    path("hosts/<int:pk>/menu/", host_pages.host_menu, name="host_menu"),
    path("hosts/<int:pk>/test/", host_forms.test_host, name="test"),
    path("hosts/<int:pk>/accept-keys/", host_forms.accept_keys, name="accept_keys"),
    path("hosts/<int:pk>/refresh/", host_actions.refresh_host, name="refresh"),
    path("hosts/<int:pk>/disable/", host_actions.disable, name="disable"),
    path("hosts/<int:pk>/enable/", host_actions.enable, name="enable"),
    path("hosts/<int:pk>/remove/", host_actions.remove, name="remove"),
    path("guests/", guest_pages.list_guests, name="guests"),
    path("guests/<int:pk>/", guest_pages.show_guest, name="guest"),
    path("guests/<int:pk>/menu/", guest_pages.guest_menu, name="guest_menu"),
    path("guests/<int:pk>/refresh/", guest_pages.refresh_guest, name="guest_refresh"),
    path("storage/", storage.list_pools, name="storage"),
]
