"""Addresses of the whole product."""

from django.contrib.auth import views as auth_views
from django.urls import include, path

from vmmigrate.health import healthz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("login/", auth_views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("", include("hosts.urls")),
    path("", include("jobs.urls")),
]
