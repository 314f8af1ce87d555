-- A database for each module: no table, transaction or foreign key crosses them.
CREATE DATABASE users;
CREATE DATABASE inventory;
CREATE DATABASE orders;
CREATE DATABASE payments;
CREATE DATABASE notifications;
CREATE DATABASE sandbox;
