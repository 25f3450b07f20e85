#!/bin/sh
# Prepares Airflow's database, the one-slot pool and the first administrator; safe to run again.
set -eu

airflow db migrate
airflow pools set warehouse 1 "One slot: DuckDB takes one writer."

if airflow users list --output plain | awk '{ print $2 }' | grep -qx admin; then
    echo "there is an administrator already; its password stays as it is"
else
    # Airflow asks for it twice. Not as an argument: every user of the machine can read those. printf is built in.
    printf '%s\n' "$ADMIN_PASSWORD" "$ADMIN_PASSWORD" | airflow users create --role Admin --username admin \
        --firstname Dawnlist --lastname Admin --email admin@localhost
fi
